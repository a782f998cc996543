// Which settings are the server's and which are this extension's. The server's keys have no dot
// after "r1ls."; they are generated from its own table (settings.py), so nothing is listed here.
import { type ExtensionContext, workspace } from 'vscode'

type Row = { default?: unknown }

function serverKeys(context: ExtensionContext): string[] {
  const sections: { properties: Record<string, Row> }[] =
    context.extension.packageJSON.contributes.configuration
  return sections
    .flatMap((section) => Object.keys(section.properties))
    .map((key) => key.slice('r1ls.'.length))
    .filter((key) => !key.includes('.'))
}

// Off by default in the server and on here (settings.py): said always, not only where it is set.
const ON_HERE = new Set(['codeLens'])

// What the server is told. Trust is never a setting: a folder could grant it to itself.
export function serverSettings(context: ExtensionContext): Record<string, unknown> {
  const config = workspace.getConfiguration('r1ls')
  const settings: Record<string, unknown> = {}
  for (const key of serverKeys(context)) settings[key] = config.get(key)
  settings.trusted = workspace.isTrusted
  return settings
}

// Only what differs from the defaults, so that flags in r1ls.server.arguments are not overruled.
export function initializationOptions(context: ExtensionContext): Record<string, unknown> {
  const config = workspace.getConfiguration('r1ls')
  const settings = serverSettings(context)
  for (const key of serverKeys(context)) {
    const found = config.inspect(key)
    const isSet = [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue].some(
      (value) => value !== undefined,
    )
    if (!isSet && !ON_HERE.has(key)) delete settings[key]
  }
  return settings
}
