// Row "off": the real controller, stages and relay inside Nest, with a snapshot that lets everybody in and sinks that keep
// nothing. No key check, no ledger, no archive; the model is still read and resolved, or there would be no route.
// Usage: open-gateway.js <upstream origin>
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { DATA_PLANE } from '../../apps/gateway/src/proxy/data-plane.js';
import { installProxy } from '../../apps/gateway/src/proxy/install-proxy.js';
import { ProxyController } from '../../apps/gateway/src/proxy/proxy.controller.js';
import { serverOptions } from '../../apps/gateway/src/server-options.js';
import { announce } from './announce.js';
import { openPlane } from './open-plane.js';

const plane = openPlane(process.argv[2] as string);

@Module({ controllers: [ProxyController], providers: [{ provide: DATA_PLANE, useValue: plane }] })
class OpenModule {}

const adapter = new FastifyAdapter(serverOptions());
const app = await NestFactory.create<NestFastifyApplication>(OpenModule, adapter, { bodyParser: false, logger: false });
const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
fastify.removeAllContentTypeParsers();
fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
installProxy(fastify, plane);
await app.listen(0, '127.0.0.1');
announce(await app.getUrl());
