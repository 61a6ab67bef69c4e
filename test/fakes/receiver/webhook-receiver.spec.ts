import { startWebhookReceiver } from './webhook-receiver.js';

describe('the fake receiver of webhooks', () => {
  it('keeps what comes, answers as told and stays with the last answer', async () => {
    const receiver = await startWebhookReceiver();
    const post = (path: string): Promise<number> =>
      fetch(`${receiver.url}${path}`, { method: 'POST', body: 'hä', headers: { 'x-a': 'b' }, redirect: 'manual' }).then(
        ({ status }) => status,
        () => 0,
      );
    try {
      expect(await post('/a')).toBe(204);
      receiver.answer('/a', 500, { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 'reset', 410);
      expect([await post('/a'), await post('/a'), await post('/a'), await post('/a'), await post('/a')]).toEqual([
        500, 302, 0, 410, 410,
      ]);
      expect(receiver.messages[0]).toMatchObject({ path: '/a', body: 'hä', headers: { 'x-a': 'b' } });
      expect([receiver.mostAtOnce('/a'), receiver.mostAtOnce('/b')]).toEqual([1, 0]);
    } finally {
      await receiver.stop();
    }
  });
});
