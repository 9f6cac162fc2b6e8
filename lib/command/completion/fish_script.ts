/** The completion script for fish. */

import type { CommandModel, CompletionModel, OptionModel, ValueModel } from "./completion_model.ts";

export function fishScript({ program, root, commands }: CompletionModel): string {
  const at = `__${program.replace(/\W/g, "_")}_at`;
  const complete = (...words: readonly string[]) => ["complete -c", program, ...words].join(" ");
  const lines = [
    complete("-f"),
    ...root.options.map((option) => complete(`-n ${at}`, optionWords(option))),
    ...commands.map(({ name, summary }) =>
      complete(`-n ${at}`, `-a ${quote(name)}`, `-d ${quote(summary)}`)
    ),
    ...commands.flatMap((command) => [
      "",
      ...command.options.map((option) =>
        complete(`-n ${quote(`${at} ${command.name}`)}`, optionWords(option))
      ),
      ...argumentLines(command, at).map((line) => complete(line)),
    ]),
  ];
  return `# Completes the command line of ${program} in fish. Printed by: ${program} completions fish

${positionFunction(at, [root, ...commands])}

${fileFunctions(at)}

${lines.join("\n")}
`;
}

function positionFunction(at: string, commands: readonly CommandModel[]): string {
  return `# Whether the command is $argv[1] and, with $argv[2], has that many arguments; without $argv[1],
# whether there is no command yet.
function ${at}
    set -l valued ${valuedFlags(commands).map(quote).join(" ")}
    set -l words
    set -l skip
    for word in (commandline -opc)[2..]
        if test -n "$skip"
            set skip
        else if contains -- $word $valued
            set skip y
        else if not string match -q -- '-?*' $word
            set -a words $word
        end
    end
    if test (count $argv) -eq 0
        test (count $words) -eq 0
    else if test (count $argv) -eq 1
        test "$words[1]" = $argv[1]
    else
        test "$words[1]" = $argv[1]; and test (count $words) -eq (math 1 + $argv[2])
    end
end`;
}

function fileFunctions(at: string): string {
  return `# Words that have $argv[1] and then the name of a file.
function ${at}_file
    set -l word (commandline -ct)
    string match -q -- "$argv[1]*" $word; or return
    for path in (__fish_complete_path (string replace -- $argv[1] '' $word))
        printf '%s%s\\n' $argv[1] $path
    end
end

# Names of files. fish itself would also offer them after a colon.
function ${at}_path
    set -l word (commandline -ct)
    string match -q -- '*:*' $word; or __fish_complete_path $word
end`;
}

function valuedFlags(commands: readonly CommandModel[]): string[] {
  const flags = commands.flatMap(({ options }) =>
    options.flatMap(({ flags, value }) => value === undefined ? [] : flags)
  );
  return [...new Set(flags)];
}

function argumentLines({ name, arguments: list }: CommandModel, at: string): string[] {
  return list.flatMap(({ value, variadic }, index) => {
    const condition = `-n ${quote(`${at} ${name}${variadic ? "" : ` ${index}`}`)}`;
    return valueWords(value, at).map((words) => `${condition} ${words}`);
  });
}

function optionWords({ flags, description, value }: OptionModel): string {
  const names = flags.map((flag) =>
    flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`
  );
  // -x keeps out files, which an argument of the same command may allow.
  const words = value === undefined ? [] : optionValue(value);
  return [...names, ...words, `-d ${quote(description)}`].join(" ");
}

function optionValue(value: ValueModel): string[] {
  switch (value.kind) {
    case "file":
      return ["-r", "-F"];
    case "directory":
      return ["-x", `-a '(__fish_complete_directories)'`];
    case "words":
      return ["-x", `-a ${quote(value.words.map(({ text }) => text).join(" "))}`];
    case "beginnings":
      return ["-x", `-a ${quote(value.beginnings.map(({ text }) => text).join(" "))}`];
    case "none":
      return ["-x"];
  }
}

function valueWords(value: ValueModel, at: string): string[] {
  switch (value.kind) {
    case "file":
      return ["-F"];
    case "directory":
      return [`-a '(__fish_complete_directories)'`];
    case "words":
      return value.words.map(({ text, description }) =>
        `-a ${quote(text)}${description === undefined ? "" : ` -d ${quote(description)}`}`
      );
    case "beginnings":
      return [
        ...value.beginnings.flatMap(({ text, description, thenFile }) => [
          `-a ${quote(text)} -d ${quote(description ?? "")}`,
          ...(thenFile ? [`-a ${quote(`(${at}_file ${text})`)}`] : []),
        ]),
        `-a ${quote(`(${at}_path)`)}`,
      ];
    case "none":
      return [];
  }
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
