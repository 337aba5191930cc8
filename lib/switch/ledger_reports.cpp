#include <utility>

#include "cdr/ledger_sqlite.hpp"
#include "tandem/config.hpp"
#include "tandem/ledger.hpp"

namespace tandem {

Result<LedgerCheck> check_ledger(const SwitchConfig& config) {
  std::vector<std::string> cdr_folders;
  for (const CdrSinkConfig& sink : config.cdr_sinks)
    if (sink.type == "sqlite") cdr_folders.push_back(config.path(sink.path));
  return cdr::check_stored_ledger(config.path(config.database), cdr_folders);
}

Result<std::vector<LedgerEntry>> query_ledger(const SwitchConfig& config,
                                              const LedgerQuery& query) {
  return cdr::stored_entries(config.path(config.database), query);
}

}  // namespace tandem
