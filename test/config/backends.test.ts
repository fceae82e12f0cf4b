import { expect } from 'chai';
import { problemText } from '../../src/lib/problem.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { relayConfig } from '../../src/config/parsed-config.ts';

/** What is wrong with `backends` of an endpoint with two remotes, and what is suspicious about it. */
function findings(backends: unknown): { problems: string[]; warnings: string[] } {
  const endpoint = { listen: '[::]:80', remote: '192.0.2.1:80', extra_remotes: ['192.0.2.2:80'], backends };
  try {
    const { warnings } = relayConfig({ endpoints: [endpoint] }, 'test');
    return { problems: [], warnings: warnings.map((each) => problemText(each)) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems.map((each) => problemText(each)), warnings: [] };
  }
}

describe('backends of an endpoint', () => {
  it('are remotes by position with weights up to 1,000,000, and shares that are refused', () => {
    const backends = [
      { weight: 1_000_000, remotes: [0, 1] },
      { weight: 1, refuse: true },
      { weight: 3, remotes: [1], refuse: false },
    ];
    const endpoint = { listen: '[::]:80', remote: '192.0.2.1:80', extra_remotes: ['192.0.2.2:80'], backends };
    expect(relayConfig({ endpoints: [endpoint] }, 'test').config.endpoints[0]?.backends).to.deep.equal([
      { weight: 1_000_000, remotes: [0, 1] },
      { weight: 1, refuse: true },
      { weight: 3, remotes: [1] },
    ]);
    expect(findings(backends)).to.deep.equal({ problems: [], warnings: [] });
  });

  const both = { weight: 1, remotes: [0, 1] };
  const rejected: { backends: unknown; problem: string }[] = [
    { backends: [], problem: 'endpoints[0].backends: is empty' },
    { backends: {}, problem: 'endpoints[0].backends: has the wrong type' },
    { backends: [{ remotes: [0, 1] }], problem: 'endpoints[0].backends[0].weight: is missing' },
    { backends: [{ ...both, weight: 0 }], problem: 'endpoints[0].backends[0].weight: is out of range' },
    {
      backends: [{ ...both, weight: 1_000_001 }],
      problem: 'endpoints[0].backends[0].weight: is out of range',
    },
    { backends: [{ ...both, weight: 1.5 }], problem: 'endpoints[0].backends[0].weight: has the wrong type' },
    { backends: [{ weight: 1 }], problem: 'endpoints[0].backends[0].remotes: is missing' },
    { backends: [{ weight: 1, refuse: false }], problem: 'endpoints[0].backends[0].remotes: is missing' },
    { backends: [{ weight: 1, remotes: [] }], problem: 'endpoints[0].backends[0].remotes: is empty' },
    { backends: [{ ...both, refuse: true }], problem: 'remotes: cannot go with refuse: true' },
    { backends: [both, { weight: 1, remotes: [2] }], problem: 'backends[1].remotes[0]: is not the position' },
    {
      backends: [{ weight: 1, remotes: [-1] }],
      problem: 'endpoints[0].backends[0].remotes[0]: is out of range',
    },
    { backends: [{ weight: 1, remotes: ['a'] }], problem: 'remotes[0]: has the wrong type' },
    { backends: [{ weight: 1, remotes: [1, 0, 1] }], problem: 'backends[0].remotes[2]: is listed twice' },
  ];
  for (const { backends, problem } of rejected)
    it(`rejects ${JSON.stringify(backends)}: ${problem}`, () => {
      const { problems } = findings(backends);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.contain(problem);
    });

  it('warns of no remote that gets no clients if every backend refuses, since an endpoint needs a remote', () => {
    expect(findings([{ weight: 1, refuse: true }])).to.deep.equal({ problems: [], warnings: [] });
  });

  const suspicious: { backends: unknown; warning: string }[] = [
    {
      backends: [{ weight: 1, remotes: [1] }],
      warning: 'backends: leaves out remotes 0, which get no clients',
    },
    { backends: [{ ...both, refused: true }], warning: 'did you mean "refuse"?' },
  ];
  for (const { backends, warning } of suspicious)
    it(`warns about ${JSON.stringify(backends)}: ${warning}`, () => {
      const { problems, warnings } = findings(backends);
      expect(problems).to.deep.equal([]);
      expect(warnings.join('\n')).to.contain(warning);
    });
});
