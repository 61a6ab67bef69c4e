/** Roles a caller of the admin API can have (IAM-3). More follow with SSO; what a role may do stands only in `PERMISSIONS`. */
export const ROLES = ['proxy_admin', 'proxy_admin_viewer'] as const;
export type Role = (typeof ROLES)[number];

const ADMIN: readonly Role[] = ['proxy_admin'];
const READERS: readonly Role[] = ['proxy_admin', 'proxy_admin_viewer'];

/**
 * The permission registry: every permission of the admin side and the roles that have it. A viewer reads everything that
 * is neither a secret nor a body, and changes nothing. `test/e2e/admin/permission-matrix.e2e.ts` walks routes × roles.
 */
export const PERMISSIONS = {
  'keys:read': READERS,
  'keys:write': ADMIN,
  'orgs:read': READERS,
  'orgs:write': ADMIN,
  'teams:read': READERS,
  'teams:write': ADMIN,
  'users:read': READERS,
  'users:write': ADMIN,
  'apps:read': READERS,
  'apps:write': ADMIN,
  'tags:read': READERS,
  'tags:write': ADMIN,
  'budgets:read': READERS,
  'tokens:read': READERS,
  'tokens:write': ADMIN,
  'spend:read': READERS,
  'alerts:read': READERS,
  'webhooks:read': READERS,
  'webhooks:write': ADMIN,
  'routing:read': READERS,
  'routing:write': ADMIN,
  'logs:read': READERS,
  'logs:read_bodies': ADMIN,
  'prices:read': READERS,
  'prices:write': ADMIN,
  'config:read': READERS,
  'config:write': ADMIN,
  'audit:read': READERS,
  'audit:verify': ADMIN,
  'metrics:read': READERS,
} as const satisfies Record<string, readonly Role[]>;

export type Permission = keyof typeof PERMISSIONS;

/** Whether a role has a permission. Unknown roles and permissions have nothing (deny by default). */
export function roleAllows(role: Role, permission: Permission): boolean {
  return Object.hasOwn(PERMISSIONS, permission) && PERMISSIONS[permission].includes(role);
}

/** Whether a role has nothing that the other has not: who may make credentials makes none that can do more than they. */
export function isWithin(role: Role, other: Role): boolean {
  const permissions = Object.keys(PERMISSIONS) as Permission[];
  return permissions.every((permission) => !roleAllows(role, permission) || roleAllows(other, permission));
}

export function isRole(value: unknown): value is Role {
  return typeof value === 'string' && (ROLES as readonly string[]).includes(value);
}
