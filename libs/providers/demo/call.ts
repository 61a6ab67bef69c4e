import type { IncomingHttpHeaders } from 'node:http';
import { behaviourOf, type DemoBehaviour } from './behaviour.js';
import { DemoFault } from './fault.js';
import type { Fields } from './fields.js';

/** One request to the demo provider, its body parsed. */
export interface DemoCall {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Fields;
  /** Hexadecimal digest of path and body: ids are made of it, so that equal calls get equal answers. */
  readonly digest: string;
}

/** One piece of a stream. Pauses and breaks happen between pieces that carry content. */
export interface Frame {
  readonly text: string;
  readonly isContent: boolean;
}

export type DemoReply =
  | {
      readonly kind: 'json';
      readonly behaviour: DemoBehaviour | null;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body: unknown;
    }
  | {
      readonly kind: 'stream';
      readonly behaviour: DemoBehaviour;
      readonly contentType: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly frames: Iterable<Frame>;
    };

/** How a dialect's operation is answered. @throws DemoFault what the dialect then shapes as its error */
export type DemoHandler = (call: DemoCall) => DemoReply;

/** Shapes an error as a dialect does. */
export type FaultShape = (
  fault: DemoFault,
  digest: string,
) => { readonly body: unknown; readonly headers: Readonly<Record<string, string>> };

/** When every answer of the demo provider claims to have been made (2026-01-01, seconds since 1970). */
export const CREATED_S = 1_767_225_600;

/** The behaviour of a model that must exist. */
export function behaviourAt(model: unknown): { readonly model: string; readonly behaviour: DemoBehaviour } {
  if (typeof model !== 'string' || model === '')
    throw new DemoFault(400, 'you must provide a model parameter', { param: 'model' });
  const behaviour = behaviourOf(model);
  if (behaviour === null)
    throw new DemoFault(404, `The model '${model.slice(0, 128)}' does not exist.`, {
      param: 'model',
      code: 'model_not_found',
    });
  return { model, behaviour };
}

/** A frame that carries content of the answer. */
export function content(text: string): Frame {
  return { text, isContent: true };
}

/** A frame before or after the content. */
export function frame(text: string): Frame {
  return { text, isContent: false };
}
