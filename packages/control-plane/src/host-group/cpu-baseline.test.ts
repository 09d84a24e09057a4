import { featuresOfLevel } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { baselineOf, type CpuOffer, commonOffer, lossBetween, offerOf } from './cpu-baseline.js';

const names = fc.uniqueArray(fc.constantFrom('lm', 'aes', 'avx', 'avx2', 'sse2', 'vmx', 'pcid'));
const anOffer: fc.Arbitrary<CpuOffer> = fc.record({
  hostCount: fc.constant(1),
  features: names.map((list) => new Set(list)),
  models: fc
    .uniqueArray(fc.tuple(fc.constantFrom('A-v1', 'B-v1', 'C-v2', 'x86-64-v2'), fc.nat(90)), {
      selector: ([name]) => name,
    })
    .map((pairs) => new Map(pairs)),
  machineTypes: fc.subarray(['pc-q35-9.2', 'pc-q35-10.0', 'pc-q35-8.2']).map((list) => new Set(list)),
});
const anOfferOrNone = fc.option(anOffer);
const fold = (offers: readonly (CpuOffer | null)[]) => offers.reduce(commonOffer, null);

describe('what hosts have in common', () => {
  it('does not depend on how they are grouped', () => {
    fc.assert(
      fc.property(anOfferOrNone, anOfferOrNone, anOfferOrNone, (a, b, c) => {
        const left = commonOffer(commonOffer(a, b), c);
        expect(baselineOf(left)).toEqual(baselineOf(commonOffer(a, commonOffer(b, c))));
      }),
    );
  });

  it('does not depend on their order', () => {
    fc.assert(
      fc.property(anOfferOrNone, anOfferOrNone, (a, b) => {
        expect(baselineOf(commonOffer(a, b))).toEqual(baselineOf(commonOffer(b, a)));
      }),
    );
  });

  it('is never what a member lacks', () => {
    fc.assert(
      fc.property(fc.array(anOffer, { minLength: 1 }), (offers) => {
        const { features, models, machineTypes } = baselineOf(fold(offers));
        for (const offer of offers) {
          expect(features.every((name) => offer.features.has(name))).toBe(true);
          expect(models.every(({ name }) => offer.models.has(name))).toBe(true);
          expect(machineTypes.every((name) => offer.machineTypes.has(name))).toBe(true);
        }
      }),
    );
  });

  it('is all that no member lacks', () => {
    fc.assert(
      fc.property(fc.array(anOffer, { minLength: 1 }), (offers) => {
        const shared = [...(offers[0]?.features ?? [])].filter((name) => offers.every((o) => o.features.has(name)));
        expect(baselineOf(fold(offers)).features).toEqual(shared.sort());
      }),
    );
  });

  it('only shrinks by a joining host, and what is lost is the difference', () => {
    fc.assert(
      fc.property(fc.array(anOffer, { minLength: 1 }), anOffer, (members, joining) => {
        const before = baselineOf(fold(members));
        const after = baselineOf(commonOffer(fold(members), joining));
        const loss = lossBetween(before, after);
        expect([...after.features, ...loss.featuresLost].sort()).toEqual(before.features);
        expect(after.level).toBeLessThanOrEqual(before.level);
        expect(after.models.length + loss.modelsLost.length).toBe(before.models.length);
      }),
    );
  });

  it('loses nothing by a host that is like a member', () => {
    fc.assert(
      fc.property(anOffer, (offer) => {
        const loss = lossBetween(baselineOf(offer), baselineOf(commonOffer(offer, offer)));
        expect(loss).toEqual({ featuresLost: [], modelsLost: [], machineTypesLost: [] });
      }),
    );
  });
});

describe('a baseline', () => {
  const support = {
    accelerator: 'kvm',
    models: [
      { name: 'Nehalem-v1', featureCount: 32 },
      { name: 'Haswell-v4', featureCount: 60 },
    ],
    features: [...featuresOfLevel(3)],
    level: 3,
    withheldFeatures: [],
  } as const;
  const facts = {
    cpu: [{ ...support, models: [...support.models], features: [...support.features], withheldFeatures: [] }],
    machineTypes: ['pc-q35-9.2', 'pc-q35-10.0'],
  };

  it('recommends the model with most features, and names the newest machine type first', () => {
    const baseline = baselineOf(offerOf('kvm', facts));
    expect(baseline).toMatchObject({ hostCount: 1, level: 3, recommendedModel: 'Haswell-v4' });
    expect(baseline.machineTypes).toEqual(['pc-q35-10.0', 'pc-q35-9.2']);
  });

  it.each([
    ['an accelerator that it knows nothing of', 'tcg', facts],
    ['no accelerator', null, facts],
    ['no facts', 'kvm', null],
  ] as const)('of a host with %s is not known', (_what, accelerator, known) => {
    expect(offerOf(accelerator, known)).toBeNull();
  });

  it('of nobody is empty', () => {
    expect(baselineOf(null)).toMatchObject({ hostCount: 0, level: 0, models: [], recommendedModel: null });
  });
});
