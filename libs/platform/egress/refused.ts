/**
 * The egress policy forbids the connection. Host, address and reason are for the log of the operator; a caller of the
 * product only learns that the upstream could not be reached.
 */
export class EgressRefused extends Error {
  readonly code = 'EGRESS_REFUSED';
  readonly host: string;
  readonly address: string;
  readonly reason: string;
  constructor(host: string, address: string, reason: string) {
    const of = host === address ? address : `${host} (${address})`;
    super(`connection to ${of} refused: ${reason}; networks that may be reached are listed under egress.allow`);
    this.name = 'EgressRefused';
    this.host = host;
    this.address = address;
    this.reason = reason;
  }
}
