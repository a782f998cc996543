if vim.g.loaded_r1ls then return end
vim.g.loaded_r1ls = true
if vim.fn.has('nvim-0.11') == 0 then
  vim.notify('r1ls: Neovim 0.11 or later is needed; this is ' .. tostring(vim.version()), vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command('R1ls', function(args)
  local name = args.fargs[1] or 'actions'
  local run = require('r1ls').commands[name]
  if not run then
    local names = vim.tbl_keys(require('r1ls').commands)
    table.sort(names)
    vim.notify(("r1ls: unknown command '%s', wanted one of: %s"):format(name, table.concat(names, ', ')), vim.log.levels.ERROR)
    return
  end
  run(unpack(args.fargs, 2))
end, {
  nargs = '*', range = true, desc = 'r1ls',
  complete = function(lead)
    local names = vim.tbl_keys(require('r1ls').commands)
    table.sort(names)
    return vim.tbl_filter(function(name) return vim.startswith(name, lead) end, names)
  end,
})
require('r1ls').start()
