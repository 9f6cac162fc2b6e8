/** Text in which users or servers may have written secrets, made fit to be shown. */

/**
 * Puts `***` in the place of passwords (`USER:PASSWORD@HOST`, in a URL or alone) and of the queries
 * of URLs, where signatures are. It rather takes out too much than too little.
 */
export function redact(text: string): string {
  return text
    .replace(/"[^"]*"|'[^']*'|[^\s"']+/g, (word) => {
      const quote = /^["']/.exec(word)?.[0] ?? "";
      return quote + hidePassword(word.slice(quote.length));
    })
    .replace(URL_IN_PATH, "$1:***@")
    .replace(/(\bhttps?:\/\/[^\s"'<>?]*)\?[^\s"'<>]*/gi, "$1?***");
}

/** A URL where a path was meant is shown behind a directory, or behind a scheme of files. */
const URL_IN_PATH = /([/:](?:docker|https?):\/*[^\s"':/@]*):[^\s"']*@/gi;

/**
 * `text` is one word: a reference, a URL, or `USER:PASSWORD@HOST`. The result differs from it exactly
 * when there is a password in it.
 */
export function hidePassword(text: string): string {
  const [, bracket, scheme = "", rest] =
    /^([(<[=]*)((?:docker|docker-daemon):\/?(?!\/)|(?:docker|https?)\/\/|[a-z][\w+.-]*:\/\/)?(.*)$/is
      .exec(text)!;
  // The second is the form that help and hints show: docker://[USER@][REGISTRY#]IMAGE[:TAG].
  if ((scheme === "" && PATH.test(rest!)) || rest!.startsWith("[USER@]")) return text;
  // A user without a host: `docker://me:secret#image`.
  const user = LAST_AT.exec(rest!)?.[1] ?? /^([^:/#@[]*:(?!\d+#)[^/#@]+)#/.exec(rest!)?.[1];
  const colon = user?.search(/:|%3a/i) ?? -1;
  return colon < 0
    ? text
    : `${bracket}${scheme}${rest!.slice(0, colon)}:***${rest!.slice(user!.length)}`;
}

/** Text that names a file, or holds no user: those of `oci:a:b@c` and `./a:b@c` are tags and names. */
const PATH = /^(?:oci|oci-archive|docker-archive|dir|ostree|containers-storage):|^[^:@]*\/|^[^:]*$/;

/** Up to the last `@` that does not begin a digest, a number or a path. */
const LAST_AT = /^(.*)@(?![a-z0-9]+:[0-9a-f]{16,}|sha\d+:|\d+$|\/)/s;
