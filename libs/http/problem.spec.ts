import { BadRequestException, NotFoundException } from '@nestjs/common';
import { AppError } from '#libs/platform/errors.js';
import { renderProblem, toAppError } from './problem.js';
import { isRole, isWithin, PERMISSIONS, roleAllows, ROLES, type Permission } from './permissions.js';

describe('renderProblem', () => {
  it('CFG-5: names code, field and request id in RFC 9457 shape', () => {
    const error = new AppError('invalid_request', { faults: [{ path: 'name', message: 'is missing' }] });
    expect(renderProblem(error, 'req_1')).toEqual({
      type: 'urn:smartflow:problem:invalid_request',
      title: 'Bad Request',
      status: 400,
      detail: 'The request is invalid.',
      code: 'invalid_request',
      requestId: 'req_1',
      docs: 'docs/errors.md#invalid_request',
      errors: [{ path: 'name', message: 'is missing' }],
    });
  });

  it('shows a single field at fault in the same place as several', () => {
    expect(renderProblem(new AppError('invalid_request', { text: 'no', param: 'limit' }), 'r').errors).toEqual([
      { path: 'limit', message: 'no' },
    ]);
  });
});

describe('toAppError', () => {
  it('keeps the class of a foreign error and loses its text', () => {
    expect(toAppError(new NotFoundException('/etc/passwd')).code).toBe('route_not_found');
    expect(toAppError(new BadRequestException('canary')).message).not.toContain('canary');
    expect(toAppError(Object.assign(new Error('canary'), { statusCode: 418 })).code).toBe('invalid_request');
  });

  it.each([new Error('canary'), 'canary', null, undefined, { status: '400' }])(
    'hides what %p says behind "internal"',
    (thrown) => {
      const error = toAppError(thrown);
      expect(error.code).toBe('internal');
      expect(JSON.stringify(renderProblem(error, 'r'))).not.toContain('canary');
    },
  );
});

describe('permission registry', () => {
  it('IAM-3: a viewer only reads, and reads neither bodies nor secrets', () => {
    const viewer = (Object.keys(PERMISSIONS) as Permission[]).filter((permission) =>
      roleAllows('proxy_admin_viewer', permission),
    );
    expect(viewer).toEqual([
      'keys:read',
      'orgs:read',
      'teams:read',
      'users:read',
      'apps:read',
      'tags:read',
      'budgets:read',
      'tokens:read',
      'spend:read',
      'alerts:read',
      'webhooks:read',
      'routing:read',
      'logs:read',
      'prices:read',
      'config:read',
      'audit:read',
      'metrics:read',
    ]);
  });

  it('KEY-1: a credential has no more rights than whoever makes it', () => {
    expect(isWithin('proxy_admin_viewer', 'proxy_admin')).toBe(true);
    expect(isWithin('proxy_admin', 'proxy_admin')).toBe(true);
    expect(isWithin('proxy_admin', 'proxy_admin_viewer')).toBe(false);
  });

  it('IAM-3: denies by default', () => {
    for (const name of ['constructor', '__proto__', 'nope']) {
      for (const role of ROLES) expect(roleAllows(role, name as Permission)).toBe(false);
      expect(isRole(name)).toBe(false);
    }
  });
});
