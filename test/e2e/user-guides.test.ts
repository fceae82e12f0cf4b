import { describeGuides, guides } from './guides/suite.ts';

// What a stranger does first. The other pages take minutes, and are run by `make docs` and `make e2e-full`.
describeGuides(guides().first);
