/** The little of the WebAssembly interface that the host uses (TypeScript declares it only together with the DOM). */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

interface WasmInterface {
  compile(bytes: Uint8Array): Promise<object>;
  instantiate(module: object, imports: Record<string, Record<string, unknown>>): Promise<{ readonly exports: unknown }>;
  readonly Tag: new (type: { parameters: string[] }) => object;
}

export const webAssembly = (globalThis as unknown as { WebAssembly: WasmInterface }).WebAssembly;
