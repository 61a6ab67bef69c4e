import { AppError } from '#libs/platform/errors.js';

/** Far above what any model answers, in UTF-16 units. */
const MOST_HELD = 16 * 1024 * 1024;

/** Bounds the text of one stream that waits, or is repeated, at its end. */
export class HeldText {
  private held = 0;

  /** Counts `text`, and gives it back. @throws AppError `upstream_invalid` beyond the bound */
  hold(text: string): string {
    this.held += text.length;
    if (this.held > MOST_HELD)
      throw new AppError('upstream_invalid', { text: 'The model provider sent an answer that is too large.' });
    return text;
  }
}
