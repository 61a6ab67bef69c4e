import { AppError, type ErrorCode } from '#libs/platform/errors.js';
import { classOfFailure } from './upstream-error.js';

describe('classOfFailure', () => {
  it.each<[ErrorCode, string, string]>([
    ['upstream_bad_output', 'bad_output', 'bad_output'],
    ['upstream_failed', 'error_body', 'late_cut'],
    ['upstream_invalid', 'bad_answer', 'late_cut'],
    ['upstream_cut', 'cut', 'late_cut'],
    ['upstream_credentials', 'auth', 'auth'],
    ['internal', 'own_refusal', 'own_refusal'],
  ])('RTE-2: %s is %s before content and %s after it', (code, before, after) => {
    const classes = [false, true].map((hasContent) =>
      classOfFailure(new AppError(code), { hasStatus: true, hasContent, abortReason: null }),
    );
    expect(classes).toEqual([before, after]);
  });
});
