/** The completion script for zsh. It works from a directory of `fpath` and with `source`. */

import type { ArgumentModel, CommandModel, CompletionModel } from "./completion_model.ts";
import type { Beginning, OptionModel, ValueModel } from "./completion_model.ts";

export function zshScript({ program, root, commands }: CompletionModel): string {
  const name = `_${program}`;
  const lists = new Map<string, readonly Beginning[]>();
  const specification = new Specification(name, lists);
  const cases = commands.map((command) =>
    `    ${command.name})
        _arguments -s -S \\
${specification.of(command).map((line) => `            ${line}`).join(" \\\n")} && result=0
        ;;`
  );
  const rootLines = [
    ...root.options.map((option) => specification.option(option)),
    `'1:command:${name}_commands'`,
    `'*:: :->arguments'`,
  ];
  return `#compdef ${program}
# Completes the command line of ${program} in zsh. Printed by: ${program} completions zsh

${name}() {
    local curcontext="\${curcontext}" state state_descr line result=1
    local -A opt_args
    _arguments -s -S -C \\
${rootLines.map((line) => `        ${line}`).join(" \\\n")} && result=0
    [[ "\${state}" == arguments ]] || return result
    case "\${words[1]}" in
${cases.join("\n")}
    esac
    return result
}

${name}_commands() {
    local -a commands=(
${commands.map(({ name, summary }) => `        ${quote(`${name}:${summary}`)}`).join("\n")}
    )
    _describe command commands
}
${[...lists].map(([list, beginnings]) => beginningsFunction(list, beginnings)).join("")}
if [[ "\${funcstack[1]}" == ${name} ]]; then
    ${name} "$@"
else
    compdef ${name} ${program}
fi
`;
}

/** Makes the arguments for `_arguments`, and keeps the lists whose functions they call. */
class Specification {
  readonly #name: string;
  readonly #lists: Map<string, readonly Beginning[]>;

  constructor(name: string, lists: Map<string, readonly Beginning[]>) {
    this.#name = name;
    this.#lists = lists;
  }

  of(command: CommandModel): string[] {
    return [
      ...command.options.map((option) => this.option(option)),
      ...command.arguments.map((argument, index) => this.#argument(argument, index + 1)),
    ];
  }

  option({ flags, description, value }: OptionModel): string {
    const end = value === undefined ? "" : `:${value.name}:${this.#action(value)}`;
    const text = `[${description.replace(/[\\\]]/g, "\\$&")}]${end}`;
    const words = flags.map((flag) =>
      value === undefined ? flag : `${flag}${flag.startsWith("--") ? "=" : "+"}`
    );
    return words.length === 1
      ? quote(`${words[0]}${text}`)
      : `${quote(`(${flags.join(" ")})`)}{${words.join(",")}}${quote(text)}`;
  }

  #argument({ value, required, variadic }: ArgumentModel, position: number): string {
    const start = variadic ? "*:" : required ? `${position}:` : `${position}::`;
    return quote(`${start}${value.name.replaceAll(":", "\\:")}:${this.#action(value)}`);
  }

  #action(value: ValueModel): string {
    switch (value.kind) {
      case "file":
        return "_files";
      case "directory":
        return "_files -/";
      case "words":
        return value.name === "COMMAND"
          ? `${this.#name}_commands`
          : `(${value.words.map(({ text }) => text).join(" ")})`;
      case "beginnings": {
        const list = `${this.#name}_${value.name.toLowerCase().replace(/\W/g, "_")}`;
        this.#lists.set(list, value.beginnings);
        return list;
      }
      case "none":
        return " ";
    }
  }
}

function beginningsFunction(name: string, beginnings: readonly Beginning[]): string {
  const files = beginnings.filter(({ thenFile }) => thenFile).map(({ text }) => `
    if compset -P ${quote(text)}; then
        _files
        return
    fi`);
  const rows = beginnings.map(({ text, description }) => quote(`${text}  -- ${description}`));
  return `
${name}() {${files.join("")}
    local -a shown=(
${rows.map((row) => `        ${row}`).join("\n")}
    )
    compadd -S '' -l -d shown -- ${beginnings.map(({ text }) => quote(text)).join(" ")} || _files
}
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
