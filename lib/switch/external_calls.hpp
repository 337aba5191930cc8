// Records and charges calls that another system carried, each flow number once (B-26).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "cdr/journal.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "cdr/sink_runner.hpp"
#include "tandem/accounts.hpp"
#include "tandem/external_calls.hpp"

namespace tandem {

class PastRates;

/// A flow number is known from the moment at which its record is in the journal: here until the
/// ledger has taken it, in the ledger for ever.
///
/// Threading: thread-safe. May wait for the disk.
class ExternalCalls {
 public:
  /// All outlive this object. `ledger` must have caught up with the journal by the first record().
  ExternalCalls(AccountBook& accounts, cdr::Journal& journal, cdr::Ledger& ledger,
                const cdr::SinkRunner& ledger_runner)
      : accounts_(accounts), journal_(journal), ledger_(ledger), ledger_runner_(ledger_runner) {}

  /// Errors: as Switch::record_call().
  Result<ExternalAnswer> record(const ExternalCall& call, const PastRates& rates);

 private:
  Result<std::optional<std::uint64_t>> find(const std::string& flow_number);
  Result<void> take_charges(const Cdr& cdr);
  void give_back(const Cdr& cdr, int sides);

  AccountBook& accounts_;
  cdr::Journal& journal_;
  cdr::Ledger& ledger_;
  const cdr::SinkRunner& ledger_runner_;
  std::mutex mutex_;  // guards waiting_; held while a flow number is looked up and used
  std::map<std::string, std::uint64_t> waiting_;  // record ids that the ledger may not have yet
};

}  // namespace tandem
