/**
 * Ids of ours are base64url, so one in 64 begins with `-` and would be taken for an option. Where a command
 * takes such ids, what has exactly their form and is neither an option nor the value of one is an operand.
 */

/** What is read of a command, as `commander` describes it. */
export interface DescribedCommand {
  name(): string;
  readonly commands: readonly DescribedCommand[];
  readonly options: readonly DescribedOption[];
}

interface DescribedOption {
  readonly short?: string | undefined;
  readonly long?: string | undefined;
  /** It has a value. */
  readonly required: boolean;
}

/** Those of API keys are hexadecimal, those of decisions have no dash. */
const TAKING_IDS: ReadonlySet<string> = new Set(["revocations lift", "clients remove-key"]);

/** 16 bytes (a digest that is cut, a random id) or 32 (a thumbprint). */
const DASHED_ID = /^-(?:[A-Za-z0-9_-]{21}|[A-Za-z0-9_-]{42})$/;

/** The arguments, with all operands behind `--` where one of them is such an id; else as they are. */
export function withDashedOperands(
  args: readonly string[],
  program: DescribedCommand,
): readonly string[] {
  const words = args.slice(0, 2);
  if (!TAKING_IDS.has(words.join(" "))) return args;
  const command = words.reduce<DescribedCommand | undefined>(
    (within, word) => within?.commands.find((one) => one.name() === word),
    program,
  );
  if (command === undefined) return args;
  const { options, operands, dashed } = sorted(args.slice(2), command);
  return dashed ? [...words, ...options, "--", ...operands] : args;
}

function sorted(
  args: readonly string[],
  command: DescribedCommand,
): { readonly options: string[]; readonly operands: string[]; readonly dashed: boolean } {
  const options: string[] = [];
  const operands: string[] = [];
  let dashed = false;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string;
    if (arg === "--") {
      operands.push(...args.slice(index + 1));
      break;
    }
    const option = command.options.find(({ short, long }) => arg === short || arg === long);
    if (option !== undefined) {
      options.push(...args.slice(index, index + (option.required ? 2 : 1)));
      if (option.required) index += 1;
    } else if (DASHED_ID.test(arg)) {
      operands.push(arg);
      dashed = true;
    } else if (arg.startsWith("-")) options.push(arg);
    else operands.push(arg);
  }
  return { options, operands, dashed };
}
