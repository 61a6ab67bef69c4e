/** Answers up to this size are sent in one piece, so that one which breaks off can still become a proper error. */
export const WHOLE_LIMIT_BYTES = 1024 * 1024;
/** An answer that is translated, or follows half a stream, must be held as a whole. */
export const TRANSLATED_LIMIT_BYTES = 16 * 1024 * 1024;
/** Events that open a stream without content; beyond this they are passed on as they come. */
export const HELD_LIMIT_BYTES = 64 * 1024;
