import {
  parseSpan,
  REQUEST_FIELDS,
  responsesToChat,
  scanObject,
  type Operation,
  type ScannedObject,
} from '#libs/dialects/index.js';
import { AppError } from '#libs/platform/errors.js';
import { checkDeployment, deploymentOperation, DEPLOYMENTS_ROUTE } from './azure-route.js';
import { GEMINI_OPERATIONS } from './endpoints.js';
import { decode, type Exchange } from './exchange.js';

/** What `read` found and `prepare` needs to edit the body. */
export type Reading = ScannedObject;

/**
 * Stage 2: which model, and whether as a stream. The body stays a Buffer; only the fields named above are looked at.
 * @throws AppError for everything a caller can get wrong here
 */
export function read(exchange: Exchange): Reading {
  const encoding = exchange.header('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') throw new AppError('unsupported_encoding');
  exchange.body = exchange.received;
  if (exchange.endpoint.dialect.name === 'gemini') return readGemini(exchange);
  if (exchange.endpoint.route !== DEPLOYMENTS_ROUTE)
    return readBody(exchange, exchange.endpoint.operation as Operation);
  const reading = readBody(exchange, deploymentOperation(exchange));
  checkDeployment(exchange);
  return reading;
}

function readBody(exchange: Exchange, operation: Operation): Reading {
  const watched = REQUEST_FIELDS[exchange.endpoint.dialect.name];
  let scanned = scanObject(exchange.body, watched);
  if (operation === 'chat' && scanned.fields.has('input') && !scanned.fields.has('messages')) {
    exchange.body = asChat(exchange);
    scanned = scanObject(exchange.body, watched);
  }
  exchange.operation = operation;
  const model = field(exchange, scanned, 'model');
  if (typeof model !== 'string' || model === '') throw new AppError('model_missing', { param: 'model' });
  exchange.modelRequested = model;
  const stream = field(exchange, scanned, 'stream') ?? false;
  if (typeof stream !== 'boolean')
    throw new AppError('invalid_request', { text: '"stream" must be true or false.', param: 'stream' });
  exchange.stream = stream;
  // Whatever a lenient provider might take for true.
  if ((field(exchange, scanned, 'background') ?? false) !== false) {
    const text = 'Background responses are not served: nobody would learn what they cost.';
    throw new AppError('invalid_request', { text, param: 'background' });
  }
  return scanned;
}

function field(exchange: Exchange, scanned: ScannedObject, name: string): unknown {
  const span = scanned.fields.get(name);
  return span === undefined ? undefined : parseSpan(exchange.body, span);
}

/** Cursor's Responses-shaped bodies on chat paths (LLM-3). */
function asChat(exchange: Exchange): Buffer {
  const parsed = parseSpan(exchange.body, { start: 0, end: exchange.body.length });
  const { chat, dropped } = responsesToChat(parsed as Record<string, unknown>);
  exchange.dropped = dropped;
  return Buffer.from(JSON.stringify(chat));
}

/** Gemini names model and action in the path: `…/models/{model}:{action}`. */
function readGemini(exchange: Exchange): Reading {
  const last = exchange.path.slice(exchange.endpoint.route.length - 1);
  const colon = last.lastIndexOf(':');
  const operation = colon < 0 ? undefined : GEMINI_OPERATIONS.get(last.slice(colon + 1));
  if (operation === undefined)
    throw new AppError('route_not_found', {
      text: 'Write …/models/{model}:generateContent or another action this gateway serves.',
    });
  exchange.operation = operation;
  exchange.modelRequested = decode(last.slice(0, colon));
  if (exchange.modelRequested === '') throw new AppError('model_missing', { text: 'The path names no model.' });
  exchange.stream = operation === 'stream_generate';
  return scanObject(exchange.body, REQUEST_FIELDS.gemini);
}
