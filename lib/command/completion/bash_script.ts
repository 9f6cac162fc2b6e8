/** The completion script for bash 4.3 and later. It does not need the package bash-completion. */

import type { CommandModel, CompletionModel, ValueModel } from "./completion_model.ts";

export function bashScript({ program, root, commands }: CompletionModel): string {
  const name = `_${program}`;
  const all = [{ ...root, name: "" }, ...commands];
  return `# Completes the command line of ${program} in bash. Printed by: ${program} completions bash

${name}() {
${JOIN_WORDS}

${findPosition(name)}

${offerWord(name, all, commands)}
}

${optionFunction(name)}

${valueFunction(name, all)}

${offerFunction(name)}

complete -F ${name} ${program}
`;
}

/** Fills `words` with the words up to the cursor. */
const JOIN_WORDS = `    local rest="\${COMP_LINE:0:COMP_POINT}" words=() word i
    # Bash also splits words at ":" and "=". Parts without a blank between them belong together.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word="\${COMP_WORDS[i]}"
        if ((i == 0)) || [[ "\${rest}" == [[:blank:]]* ]]; then
            rest="\${rest#"\${rest%%[![:blank:]]*}"}"
            words+=("")
        fi
        [[ "\${rest}" == "\${word}"* ]] || word="\${rest}"
        rest="\${rest:\${#word}}"
        words[-1]+="\${word}"
    done`;

/** Sets `command`, the `count` of its arguments, and `kind` if the current word is an option's value. */
function findPosition(name: string): string {
  return `    local command="" count=0 options=y kind="" values="" current="\${words[-1]}"
    for word in "\${words[@]:1:\${#words[@]}-2}"; do
        if [[ -n "\${kind}" ]]; then
            kind=""
        elif [[ "\${word}" == -- ]]; then
            options=""
        elif [[ -n "\${options}" && "\${word}" == -?* ]]; then
            ${name}_option "\${word}"
        elif [[ -z "\${command}" ]]; then
            command="\${word}"
        else
            count=$((count + 1))
        fi
    done`;
}

/** Completes the current word. */
function offerWord(
  name: string,
  all: readonly CommandModel[],
  commands: readonly CommandModel[],
): string {
  return `    COMPREPLY=()
    if [[ -n "\${kind}" ]]; then
        ${name}_offer "" "\${current}"
    elif [[ -n "\${options}" && "\${current}" == --*=* ]]; then
        ${name}_option "\${current%%=*}"
        ${name}_offer "\${current%%=*}=" "\${current#*=}"
    elif [[ -n "\${options}" && "\${current}" == -* ]]; then
        kind=words
        case "\${command}" in
${all.map(optionsCase).join("\n")}
        esac
        ${name}_offer "" "\${current}"
    elif [[ -z "\${command}" ]]; then
        kind=words values='${commands.map((command) => command.name).join(" ")}'
        ${name}_offer "" "\${current}"
    else
        case "\${command} \${count}" in
${commands.flatMap(argumentCases).join("\n")}
        esac
        ${name}_offer "" "\${current}"
    fi`;
}

function optionFunction(name: string): string {
  return `# Sets \$kind and \$values for the value of option \$1, if it has one.
${name}_option() {
    local letters="" letter
    case "$1" in
    --*) ${name}_value "$1"; return ;;
    esac
    letters="\${1#-}"
    while [[ -n "\${letters}" ]]; do
        letter="\${letters:0:1}" letters="\${letters:1}"
        ${name}_value "-\${letter}"
        [[ -z "\${kind}" ]] || break
    done
    # In -oFILE the value follows at once.
    [[ -z "\${letters}" ]] || kind=""
}`;
}

function valueFunction(name: string, all: readonly CommandModel[]): string {
  return `${name}_value() {
    case "\${command} $1" in
${all.flatMap(valueCases).join("\n")}
    esac
}`;
}

function offerFunction(name: string): string {
  return `# Completes \$2, the part of the current word after \$1, by \$kind and \$values.
${name}_offer() {
    local prefix="$1" text="$2" breaks="\${COMP_WORDBREAKS//[^:=@]}" beginning whole i
    whole="\${prefix}\${text}"
    case "\${kind}" in
    words) mapfile -t COMPREPLY < <(compgen -P "\${prefix}" -W "\${values}" -- "\${text}") ;;
${offerBeginnings(name)}
${OFFER_FILES}
    esac
    # Readline replaces only the text after the last place where it splits.
    if [[ -n "\${breaks}" && "\${whole}" == *[\${breaks}]* ]]; then
        prefix="\${whole%"\${whole##*[\${breaks}]}"}"
        COMPREPLY=("\${COMPREPLY[@]#"\${prefix}"}")
    fi
}`;
}

/** After a beginning that ends with `+` comes the name of a file. */
function offerBeginnings(name: string): string {
  return `    beginnings)
        for beginning in \${values}; do
            if [[ "\${beginning}" == *+ && "\${text}" == "\${beginning%+}"* ]]; then
                kind=file
                prefix+="\${beginning%+}" text="\${text#"\${beginning%+}"}"
                # Only the archive knows the names after its path.
                [[ "\${text}" == *:* ]] || ${name}_offer "\${prefix}" "\${text}"
                return
            fi
        done
        mapfile -t COMPREPLY < <(compgen -P "\${prefix}" -W "\${values//+}" -- "\${text}")
        if (( \${#COMPREPLY[@]} == 0 )); then
            kind=file
            ${name}_offer "\${prefix}" "\${text}"
            return
        fi
        compopt -o nospace 2> /dev/null
        ;;`;
}

const OFFER_FILES = `    file | directory)
        # Readline completes best what it takes for a whole word.
        if [[ -z "\${prefix}" || "\${breaks}" == *"\${prefix: -1}"* ]]; then
            [[ "\${kind}" == file ]] && compopt -o default || compopt -o dirnames
        else
            [[ "\${kind}" == file ]] && kind=-f || kind=-d
            mapfile -t COMPREPLY < <(compgen "\${kind}" -- "\${text}")
            for i in "\${!COMPREPLY[@]}"; do
                [[ -d "\${COMPREPLY[i]}" ]] && COMPREPLY[i]+=/ && compopt -o nospace
                COMPREPLY[i]="\${prefix}\${COMPREPLY[i]}"
            done
            compopt -o filenames
        fi 2> /dev/null
        return
        ;;`;

function optionsCase({ name, options }: CommandModel): string {
  const flags = options.flatMap((option) => option.flags);
  return `        '${name}') values='${flags.join(" ")}' ;;`;
}

function argumentCases({ name, arguments: list }: CommandModel): string[] {
  return list.map(({ value, variadic }, index) =>
    `        '${name} '${variadic ? "*" : index}) ${assignment(value)} ;;`
  );
}

function valueCases({ name, options }: CommandModel): string[] {
  return options.flatMap(({ flags, value }) => {
    if (value === undefined) return [];
    const patterns = flags.map((flag) => `'${name} ${flag}'`).join(" | ");
    return [`    ${patterns}) ${assignment(value)} ;;`];
  });
}

/** A beginning gets a `+` where the name of a file follows it. */
function assignment(value: ValueModel): string {
  switch (value.kind) {
    case "words":
      return `kind=words values='${value.words.map(({ text }) => text).join(" ")}'`;
    case "beginnings": {
      const texts = value.beginnings.map(({ text, thenFile }) => thenFile ? `${text}+` : text);
      return `kind=beginnings values='${texts.join(" ")}'`;
    }
    default:
      return `kind=${value.kind}`;
  }
}
