/** What the launcher tells the host process. The first message is `start`. */
export type ToHost =
  | {
      readonly type: 'start';
      readonly folder: string;
      readonly wasmFile: string;
      /** 0: a free one. */
      readonly port: number;
      readonly password: string;
      readonly maxMemoryMb: number;
      readonly saveIntervalMs: number;
    }
  | { readonly type: 'stop' };

/** What the host process tells the launcher. */
export type FromHost =
  | { readonly type: 'ready'; readonly port: number; readonly keys: number; readonly movedAside: string | null }
  | { readonly type: 'failed'; readonly why: string }
  /** Saving began to fail, or (`null`) works again. */
  | { readonly type: 'snapshot'; readonly failure: string | null };
