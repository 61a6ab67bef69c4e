import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Controller, Get, Inject, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '#libs/http/index.js';
import { AppError } from '#libs/platform/errors.js';
import { CONSOLE_HEADER } from './access-control.js';
import { OpenApi } from './openapi.js';

const UI_FOLDER = path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

// The UI styles itself inline; nothing comes from or goes to another server.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Admin API · Smartflow</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="icon" href="/api/docs/favicon-32x32.png">
</head>
<body>
<div id="ui"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: '/api/openapi.json',
  dom_id: '#ui',
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (new URL(request.url, location.href).origin === location.origin) request.headers['${CONSOLE_HEADER}'] = '1';
    return request;
  },
});
`;

/** The only files that are served, each with its type. A name from a request is never part of a path. */
const FILES: ReadonlyMap<string, string> = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]);

/** The description of the admin API, and the bundled page that shows it. */
@ApiExcludeController()
@Controller('api')
export class DocsController {
  private readonly files = new Map<string, Promise<Buffer>>();

  constructor(@Inject(OpenApi) private readonly openApi: OpenApi) {}

  @Get('openapi.json')
  @Public('the API of an open product; holds no data')
  description(@Res() reply: FastifyReply): void {
    void reply.header('content-type', 'application/json; charset=utf-8').send(this.openApi.json());
  }

  @Get('docs')
  @Public('the API of an open product; holds no data')
  page(@Res() reply: FastifyReply): void {
    void reply.headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY }).send(PAGE);
  }

  @Get('docs/:file')
  @Public('the files of the page above, from a list of three and a constant')
  async file(@Param('file') name: string, @Res() reply: FastifyReply): Promise<void> {
    if (name === 'start.js') {
      void reply.header('content-type', 'text/javascript; charset=utf-8').send(START);
      return;
    }
    const type = FILES.get(name);
    if (type === undefined) throw new AppError('not_found');
    let content = this.files.get(name);
    if (content === undefined) {
      content = readFile(path.join(UI_FOLDER, name));
      this.files.set(name, content);
    }
    void reply.headers({ 'content-type': type, 'cache-control': 'private, max-age=3600' }).send(await content);
  }
}
