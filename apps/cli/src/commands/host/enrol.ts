import type { AddVerb } from '../../cli.js';
import { parseDurationSeconds } from '../../duration.js';
import { examples } from '../../examples.js';
import { collectLabel, given } from '../../option-values.js';
import { writeSecretFile } from '../../write-secret-file.js';

interface EnrolOptions {
  readonly validFor?: number;
  readonly label?: Record<string, string>;
  readonly joinFile?: string;
}

export const addHostEnrol: AddVerb = (host, cli) => {
  host
    .command('enrol')
    .description('Let a host join: makes a token that works once, for this host name')
    .argument('<name>', 'what the host will be called')
    .option('--valid-for <time>', "such as 1h; default: the control plane's", parseDurationSeconds)
    .option('--label <key=value>', 'may be given several times', collectLabel)
    .option('--join-file <path>', 'write the token into a new file that only you can read, instead of printing it')
    .addHelpText('after', examples('kvorum host enrol host-c --join-file host-c.join'))
    .action(async (hostName: string, { validFor, label: labels, joinFile }: EnrolOptions) => {
      const enrolment = await cli.connect().hosts.enrol({ hostName, ...given({ validForSeconds: validFor, labels }) });
      if (joinFile !== undefined) writeSecretFile(joinFile, enrolment.joinToken);
      const { joinToken, ...rest } = enrolment;
      cli.show(joinFile === undefined ? enrolment : rest, () => [
        ['host', enrolment.hostName],
        ['valid until', enrolment.expiresAt],
        joinFile === undefined ? ['join token', joinToken] : ['join token in', joinFile],
        ['run on the host', enrolment.agentCommand],
      ]);
      if (joinFile === undefined && cli.format === 'table') cli.note('the token is shown only this once');
    });
};
