// The entry of the providers: how each kind of upstream is addressed.
export { compileProvider, type DemoAddress } from './compile.js';
export type { Provider } from './provider.js';
export { CredentialCache } from './credential-cache.js';
export type { Adaptation, AdaptedCall, AnswerDecoder, OutgoingCall } from './adaptation.js';
export type { Credential, FetchToken, TokenAnswer, TokenQuestion, UnsignedCall } from './credential.js';
