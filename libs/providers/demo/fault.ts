/** A call the demo provider refuses, as the real service would. Each dialect shapes it. */
export class DemoFault extends Error {
  readonly status: number;
  /** Field at fault, as OpenAI names it. */
  readonly param: string | null;
  readonly code: string | null;
  constructor(status: number, message: string, at: { readonly param?: string; readonly code?: string } = {}) {
    super(message);
    this.status = status;
    this.param = at.param ?? null;
    this.code = at.code ?? null;
  }
}

/** The sentence for a status that a model name asked for (`error-529`). */
export function textOfStatus(status: number): string {
  if (status === 429) return 'Rate limit reached: the demo model was asked to answer with this error.';
  if (status === 529) return 'Overloaded';
  return `The demo model was asked to answer with status ${status}.`;
}
