import aws4 from 'aws4';
import type { Credential, UnsignedCall } from '../credential.js';
import type { ExpiringValue } from '../expiring.js';

/** A key of AWS in clear. */
export interface AwsKeyValue {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

const SERVICE = 'bedrock';

/**
 * Signs each call with AWS Signature Version 4. Signed are host, date, token, content type, `x-amz-*` headers and the body:
 * other headers may be changed on the way by whoever stands between.
 */
export class SigningCredential implements Credential {
  readonly #key: AwsKeyValue | ExpiringValue<AwsKeyValue>;
  readonly #region: string;
  readonly #host: string;

  /** @param host as it stands in the `host` header, with a port if there is one */
  constructor(key: AwsKeyValue | ExpiringValue<AwsKeyValue>, region: string, host: string) {
    this.#key = key;
    this.#region = region;
    this.#host = host;
  }

  isReady(): boolean {
    return 'accessKeyId' in this.#key || this.#key.current() !== null;
  }

  async refresh(): Promise<void> {
    if (!('accessKeyId' in this.#key)) await this.#key.refresh();
  }

  headersFor({ method, path, headers, body }: UnsignedCall): string[] {
    const key = this.#last();
    if (key === null) return [];
    const signed: Record<string, string> = { host: this.#host };
    for (let i = 0; i < headers.length; i += 2) {
      const name = (headers[i] as string).toLowerCase();
      if (name === 'content-type' || name.startsWith('x-amz')) signed[name] = headers[i + 1] as string;
    }
    const given = new Set(Object.keys(signed));
    // An empty Buffer counts as no body for the signer: it hashes the empty text, which is the same.
    const request = { service: SERVICE, region: this.#region, method, path, headers: signed, body };
    const { sessionToken, ...pair } = key;
    const result = aws4.sign(request, sessionToken === null ? pair : { ...pair, sessionToken });
    return Object.entries(result.headers ?? {})
      .filter(([name]) => !given.has(name) && name.toLowerCase() !== 'content-length')
      .flatMap(([name, value]) => [name.toLowerCase(), String(value)]);
  }

  refused(): void {
    if (!('accessKeyId' in this.#key)) this.#key.refused();
  }

  secrets(): readonly string[] {
    const keys = 'accessKeyId' in this.#key ? [this.#key] : this.#key.recent();
    return keys.flatMap(({ secretAccessKey, sessionToken }) =>
      sessionToken === null ? [secretAccessKey] : [secretAccessKey, sessionToken],
    );
  }

  #last(): AwsKeyValue | null {
    return 'accessKeyId' in this.#key ? this.#key : this.#key.last();
  }
}
