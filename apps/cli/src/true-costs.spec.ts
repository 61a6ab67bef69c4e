import { trueCostOf, trueCostsOf } from './true-costs.js';

const ID = 'req_0198c0de-0000-7000-8000-000000000001';
const OTHER = 'req_0198c0de-0000-7000-8000-000000000002';

describe('true costs', () => {
  it('KEY-6: are read exactly, with or without a first line that names the columns', () => {
    const expected = [
      { id: ID, costNanos: 12_500_000 },
      { id: OTHER, costNanos: 1 },
    ];
    expect(trueCostsOf(`id,cost_usd\n${ID},0.0125\n\n${OTHER}, 0.000000001\n`)).toEqual(expected);
    expect(trueCostsOf(`\ufeff${ID},0.0125\r\n${OTHER},0.000000001`)).toEqual(expected);
    expect(trueCostOf(ID, '0', 'x').costNanos).toBe(0);
  });

  it.each<readonly [csv: string, sentence: string]>([
    ['', 'names no request'],
    ['id,cost_usd\n', 'names no request'],
    [`${ID}\n`, 'line 1: must be an id and an amount'],
    [`id,cost_usd\n${ID},1,2`, 'line 2: must be an id and an amount'],
    [`req_1,1`, 'line 1: "req_1" is not the id'],
    [`${ID.replace('req', 'key')},1`, 'is not the id of a request'],
    [`${ID},1\n${ID},1`, 'line 2'],
    ...['-1', 'NaN', 'Infinity', '1e3', '0.0000000001', '9000000.000000001', '99999999', '$1'].map(
      (amount): [string, string] => [`${ID},${amount}`, 'line 1: '],
    ),
  ])('KEY-6: %j is refused with the line named', (csv, sentence) => {
    expect(() => trueCostsOf(csv)).toThrow(sentence);
  });
});
