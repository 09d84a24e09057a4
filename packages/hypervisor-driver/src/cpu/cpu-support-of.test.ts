import { featuresOfLevel } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { cpuSupportOf, expandable } from './cpu-support-of.js';

const definition = (name: string, changes: object = {}) => ({
  name,
  aliasOf: null,
  unavailableFeatures: [],
  ...changes,
});

describe('the models asked about', () => {
  it('are versioned, complete, and spelled as models are', () => {
    const definitions = [
      definition('Haswell-v4'),
      definition('Haswell', { aliasOf: 'Haswell-v4' }),
      definition('EPYC-v1', { unavailableFeatures: ['topoext'] }),
      definition('Nehalem-v1', { unavailableFeatures: null }),
      definition('max'),
      definition('base'),
      definition('x86-64-v2'),
      definition('evil,enforce=off-v1'),
      definition('-v1'),
      definition(`${'x'.repeat(60)}-v1`),
    ];
    expect(expandable(definitions)).toEqual(['Haswell-v4']);
  });
});

describe('what a host supports', () => {
  const whole = [...featuresOfLevel(2), 'arch-capabilities', 'NOT A FEATURE'];
  const models = new Map([
    ['Nehalem-v1', ['lm', 'sse4.2', 'popcnt']],
    ['486-v1', ['fpu']],
    ['Newer-v1', ['lm', 'arch-capabilities']],
  ]);
  const answers = { accelerator: 'kvm', whole, models, withheld: [] } as const;

  it('is its 64-bit models with the levels it reaches, and its features in order', () => {
    const support = cpuSupportOf(answers);
    expect(support.models.map(({ name }) => name)).toEqual(['Nehalem-v1', 'Newer-v1', 'x86-64-v1', 'x86-64-v2']);
    expect(support.models[0]).toEqual({ name: 'Nehalem-v1', featureCount: 3 });
    expect(support).toMatchObject({ level: 2, withheldFeatures: [] });
    expect(support.features).toEqual([...featuresOfLevel(2), 'arch-capabilities'].sort());
  });

  it('is without what is withheld, and without the models that need it', () => {
    const support = cpuSupportOf({ ...answers, withheld: ['arch-capabilities'] });
    expect(support.features).not.toContain('arch-capabilities');
    expect(support.models.map(({ name }) => name)).toEqual(['Nehalem-v1', 'x86-64-v1', 'x86-64-v2']);
    expect(support.withheldFeatures).toEqual(['arch-capabilities']);
  });
});
