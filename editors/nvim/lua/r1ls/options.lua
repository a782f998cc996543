-- vim.g.r1ls with its defaults; read anew each time, so it may be set after the plugin was loaded.
local M = {}

local defaults = {
  cmd = { 'r1ls' },
  settings = {}, -- the server's own, `r1ls doctor` lists them
  trusted = false, -- true: every folder may be compiled and tested; :R1ls trust allows it for one
  ghost_text = 'auto', -- 'auto', 'extmarks' (this plugin's own drawing) or 'off'
  code_lens = true, -- above tests and functions, where the folder is trusted and has tests
  completion = true, -- the stock client's completion, by its keys
  keymaps = true, -- false: map require('r1ls').accept() and the others yourself
}

function M.get() return vim.tbl_extend('force', defaults, vim.g.r1ls or {}) end

function M.cmd() return M.get().cmd end

function M.settings()
  local options = M.get()
  return vim.tbl_extend('force', { codeLens = options.code_lens }, options.settings, { trusted = options.trusted })
end

-- What is wrong with vim.g.r1ls, as texts; for :checkhealth.
function M.problems()
  local found = {}
  for key, value in pairs(vim.g.r1ls or {}) do
    local default = defaults[key]
    if default == nil then
      table.insert(found, ("vim.g.r1ls.%s is unknown, wanted one of: %s"):format(key, table.concat(vim.tbl_keys(defaults), ', ')))
    elseif type(value) ~= type(default) then
      table.insert(found, ("vim.g.r1ls.%s is a %s, wanted a %s"):format(key, type(value), type(default)))
    end
  end
  return found
end

return M
