#include <set>
#include <string>

#include "cdr/packages_sqlite.hpp"
#include "tandem/config.hpp"
#include "tandem/package_calls.hpp"

namespace tandem {

Result<std::vector<PackagePeriod>> query_packages(const SwitchConfig& config,
                                                  std::string_view account) {
  auto kept = cdr::stored_packages(config.path(config.database));
  if (!kept) return kept.error();
  PackageBook book;
  std::set<std::string> accounts;
  for (const cdr::PackageStore::Kept& order : *kept) {
    auto change = parse_package_change(order.change);
    if (!change) return change.error();
    if (change->period) accounts.insert(change->period->account);
    if (auto restored = book.restore(*change, order.used); !restored) return restored.error();
  }
  if (!account.empty()) return book.current(account);
  std::vector<PackagePeriod> all;
  for (const std::string& one : accounts) {
    const auto periods = book.current(one);
    all.insert(all.end(), periods.begin(), periods.end());
  }
  return all;
}

}  // namespace tandem
