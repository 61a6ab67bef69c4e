export { Public, Require } from './access.decorator.js';
export { adminValidationPipe } from './admin-validation.pipe.js';
export { isRole, PERMISSIONS, roleAllows, ROLES, type Permission, type Role } from './permissions.js';
export { CurrentPrincipal } from './principal.decorator.js';
export type { AdminPrincipal } from './principal.js';
export { PROBLEM_CONTENT_TYPE, renderProblem, toAppError, type Problem } from './problem.js';
export { ProblemFilter, sendProblem } from './problem.filter.js';
export { virtualKeyRoute, type RouteAccess } from './route-access.js';
export { isSuspiciousPath } from './suspicious-path.js';
