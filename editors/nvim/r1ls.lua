-- r1ls on Neovim's stock client (0.11 or later; ghost text from 0.12 on).
-- Copy to ~/.config/nvim/plugin/r1ls.lua, or `:source` it. `r1ls` must be on the PATH, or set
-- vim.g.r1ls_cmd = { '/path/to/r1ls' } before.
vim.lsp.config('r1ls', {
  cmd = vim.g.r1ls_cmd or { 'r1ls' },
  root_markers = { 'compile_commands.json', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod', 'Makefile', '.git' },
  filetypes = { 'c', 'cpp', 'python', 'javascript', 'typescript', 'typescriptreact', 'go', 'rust',
    'java', 'sh', 'lua', 'ruby', 'php', 'cs', 'json', 'yaml', 'toml', 'html', 'css', 'make' },
  init_options = vim.g.r1ls_options or {}, -- { trusted = true } allows the compiler to judge
})
vim.lsp.enable('r1ls')

vim.api.nvim_create_autocmd('LspAttach', {
  callback = function(args)
    local client = assert(vim.lsp.get_client_by_id(args.data.client_id))
    if client.name ~= 'r1ls' then return end
    if vim.lsp.inline_completion and client:supports_method('textDocument/inlineCompletion') then
      vim.lsp.inline_completion.enable(true, { bufnr = args.buf })
      -- Tab accepts the ghost text where there is some, and is a Tab elsewhere.
      vim.keymap.set('i', '<Tab>', function()
        if not vim.lsp.inline_completion.get() then return '<Tab>' end
      end, { buffer = args.buf, expr = true, desc = 'r1ls: accept the suggestion' })
    end
    vim.lsp.completion.enable(true, client.id, args.buf, { autotrigger = false })
  end,
})
