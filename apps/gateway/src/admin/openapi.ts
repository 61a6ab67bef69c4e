import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { productVersion } from '#libs/platform/product-version.js';

/** Paths that belong to the admin API; the proxy's are the providers' own and documented by them. */
const ADMIN_PATH = /^\/(api|health|metrics)(\/|$)/;

const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'RFC 9457 problem details',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { type: 'string', example: 'urn:smartflow:problem:invalid_request' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'see docs/errors.md' },
    requestId: { type: 'string' },
    docs: { type: 'string' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } },
    },
  },
};

const PROBLEM_RESPONSE = {
  description: 'problem',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

interface Operation {
  readonly responses?: object;
  /** Put there by `@Public`. */
  readonly 'x-public'?: string;
  security?: object[];
}

/** The description of the admin API (`docs/openapi.json` is a committed copy; a spec fails when it is stale). */
export function describeApi(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Smartflow admin API')
    .setVersion(productVersion())
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'API token sf_admin_…' }, 'token')
    .addSecurityRequirements('token')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  const paths = Object.entries(document.paths)
    .filter(([path]) => ADMIN_PATH.test(path))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, item] of paths) {
    for (const operation of Object.values(item as Record<string, Operation>)) {
      if (operation.responses === undefined) continue;
      Object.assign(operation.responses, { default: PROBLEM_RESPONSE });
      if (operation['x-public'] !== undefined) operation.security = [];
    }
  }
  const schemas = { ...document.components?.schemas, Problem: PROBLEM_SCHEMA } as NonNullable<
    OpenAPIObject['components']
  >['schemas'];
  return {
    ...document,
    paths: Object.fromEntries(paths),
    components: { ...document.components, schemas },
  } as OpenAPIObject;
}

/** Makes the description when it is first asked for. */
export class OpenApi {
  private app: INestApplication | null = null;
  private text: string | null = null;

  describe(app: INestApplication): void {
    this.app = app;
  }

  json(): string {
    if (this.app === null) throw new Error('installAdmin was not called');
    this.text ??= JSON.stringify(describeApi(this.app), null, 2);
    return this.text;
  }
}
