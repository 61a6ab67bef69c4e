import { EgressPolicy } from '#libs/platform/egress.js';
import { faultOfWebhookUrl } from './webhook-url.js';

const closed = new EgressPolicy([]);
const open = new EgressPolicy(['127.0.0.0/8', '10.1.0.0/16']);

describe('addresses of webhooks', () => {
  it.each(['https://hooks.example/a?b=c', 'https://8.8.8.8/x', 'https://[2606:4700::1111]/x'])(
    'CFG-1: %s is taken',
    (url) => expect(faultOfWebhookUrl(url, closed)).toBeNull(),
  );

  it.each([
    ['ftp://hooks.example', /http/],
    ['javascript:alert(1)', /http/],
    ['hooks.example', /http/],
    ['https://', /http/],
    ['https://user:pw@hooks.example', /user or password/],
    ['https://hooks.example/#x', /#/],
    ['https://localhost/x', /this machine/],
    ['https://a.localhost./x', /this machine/],
    ['https://127.0.0.1/x', /egress\.allow/],
    ['https://2130706433/x', /egress\.allow/],
    ['https://10.1.2.3/x', /egress\.allow/],
    ['https://[::1]/x', /egress\.allow/],
    ['https://[::ffff:127.0.0.1]/x', /egress\.allow/],
    ['https://169.254.169.254/latest', /egress\.allow/],
    ['http://8.8.8.8/x', /https/],
    ['http://hooks.example/x', /https/],
    [`https://hooks.example/${'x'.repeat(2048)}`, /2048/],
  ])('CFG-1: %s is refused: no private address unless the operator allows it', (url, fault) => {
    expect(faultOfWebhookUrl(url, closed)).toMatch(fault);
  });

  it('CFG-1: what the operator lists may be reached, by plain http too', () => {
    for (const url of [
      'http://127.0.0.1:9/x',
      'http://localhost/x',
      'http://10.1.2.3/',
      'https://10.1.2.3/',
      'http://inside.example/',
    ]) {
      expect(faultOfWebhookUrl(url, open)).toBeNull();
    }
    expect(faultOfWebhookUrl('http://10.2.2.3/', open)).toMatch(/egress\.allow/);
  });
});
