/** `completions`: prints a script by which a shell completes denroot's command line. */

import { Argument, type Command } from "commander";
import { type CommandContext, newCommand } from "./common.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export function completionsCommand(context: CommandContext): Command {
  const name = context.console.programName;
  const command = newCommand("completions", "Print a script that completes command lines.")
    .explain(
      "The script completes commands, options and their values. It is plain text: a press of TAB " +
        `does not run ${name}. Print the script again after an update.`,
    )
    .addArgument(new Argument("<SHELL>", "the shell").choices(SHELLS))
    .section({
      title: "For you alone",
      literal: true,
      rows: [
        [
          "bash, in ~/.bashrc",
          `source <(${name} completions bash)`,
        ],
        [
          "zsh, in ~/.zshrc, after compinit",
          `source <(${name} completions zsh)`,
        ],
        ["fish, once", `${name} completions fish > ~/.config/fish/completions/${name}.fish`],
      ],
    })
    .section({
      title: "For all users, the file for the script",
      literal: true,
      rows: [
        ["bash", `/usr/share/bash-completion/completions/${name}`],
        ["zsh", `/usr/local/share/zsh/site-functions/_${name}`],
        ["fish", `/usr/share/fish/vendor_completions.d/${name}.fish`],
      ],
    })
    .examples("completions bash");
  return command.action(async (shell: Shell) => {
    context.console.help(await completionScript(shell, command.parent!));
  });
}

async function completionScript(shell: Shell, program: Command): Promise<string> {
  const { completionModel } = await import("./completion/completion_model.ts");
  const model = completionModel(program);
  switch (shell) {
    case "bash":
      return (await import("./completion/bash_script.ts")).bashScript(model);
    case "zsh":
      return (await import("./completion/zsh_script.ts")).zshScript(model);
    case "fish":
      return (await import("./completion/fish_script.ts")).fishScript(model);
  }
}
