-- The server for Neovim's stock client (:h lsp-config). Options come from vim.g.r1ls, see :h r1ls.
local options = require('r1ls.options')

return {
  cmd = options.cmd(),
  root_markers = {
    'compile_commands.json', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod', 'CMakeLists.txt', 'Makefile', '.git',
  },
  filetypes = {
    'c', 'cpp', 'cs', 'css', 'go', 'html', 'java', 'javascript', 'javascriptreact', 'json', 'lua', 'make', 'markdown', 'php',
    'python', 'ruby', 'rust', 'sh', 'toml', 'typescript', 'typescriptreact', 'yaml',
  },
  init_options = options.settings(),
  settings = { r1ls = options.settings() },
  -- What the server was told to do by a command (a lens, a run of the tests) comes back as an edit.
  handlers = {
    ['workspace/applyEdit'] = function(_, params, context)
      return { applied = require('r1ls.edits').offer(vim.lsp.get_client_by_id(context.client_id), params.edit) }
    end,
    -- Of a server that can tell of the whole workspace the stock client asks for that alone, and not for its buffers
    -- anew: what the compiler found would not be shown before the next change.
    ['workspace/diagnostic/refresh'] = function(failure, result, context)
      local client = vim.lsp.get_client_by_id(context.client_id)
      for buffer in pairs(client and client.attached_buffers or {}) do
        client:request('textDocument/diagnostic', {
          identifier = client.server_capabilities.diagnosticProvider.identifier,
          textDocument = vim.lsp.util.make_text_document_params(buffer),
        }, nil, buffer)
      end
      return vim.lsp.handlers['workspace/diagnostic/refresh'](failure, result, context)
    end,
    -- The server waits for the line, so it is asked for here and not by vim.ui.input, which answers later.
    ['r1ls/showInputBox'] = function(_, params)
      local ok, line = pcall(vim.fn.input, { prompt = params.prompt .. ' ' })
      return { value = ok and line or '' }
    end,
  },
  -- The evidence of an edit travels in its change annotations, which only versioned edits have. The stock
  -- client applies both and says so of neither.
  capabilities = {
    workspace = { workspaceEdit = { documentChanges = true, changeAnnotationSupport = { groupsOnLabel = true } } },
    experimental = { showInputBox = true },
  },
}
