import { describeGuides, guides } from '../guides/suite.ts';

describeGuides(guides().others);
