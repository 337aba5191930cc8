// What a ledger is fed with in tests.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "cdr/ledger_sqlite.hpp"
#include "sample_cdr.hpp"

namespace tandem::cdr::test {

inline Amount units(std::int64_t value) { return Amount::from_units(value); }

/// Records as a journal would hand them on.
struct Feed {
  std::vector<std::string> payloads;
  std::vector<RecordView> views;
  std::uint64_t sequence = 0;

  std::uint64_t end(const Cdr& cdr) { return add(RecordType::end, encode(EndRecord{0, cdr})); }
  std::uint64_t pay(const PaymentRecord& record) {
    return add(RecordType::payment, encode(record));
  }
  std::uint64_t add(RecordType type, std::string payload) {
    payloads.push_back(std::move(payload));
    RecordView view;
    view.sequence = ++sequence;
    view.type = type;
    views.push_back(view);
    return sequence;
  }
  void give(SinkTarget& target) const {
    std::vector<RecordView> batch = views;
    for (std::size_t i = 0; i < batch.size(); ++i)
      batch[i].payload = payloads[i];
    REQUIRE(target.write_batch(batch, sequence).ok());
  }
  void give_and_forget(SinkTarget& target) {
    give(target);
    payloads.clear();
    views.clear();
  }
};

inline Cdr charged(const std::string& account, std::int64_t charge, const std::string& vendor,
                   std::int64_t vendor_charge) {
  SeededRandom random(1);
  Cdr cdr = sample_cdr(1, random);
  cdr.customer = ChargeFacts{account, units(charge), 1, "44", "USD"};
  cdr.vendor = ChargeFacts{vendor, units(vendor_charge), 1, "4", "USD"};
  return cdr;
}

/// Oldest first.
inline std::vector<LedgerEntry> all_of(Ledger& ledger, const std::string& account) {
  LedgerQuery query;
  query.account = account;
  query.limit = 1'000'000;
  auto entries = ledger.entries(query).value();
  std::reverse(entries.begin(), entries.end());
  return entries;
}

}  // namespace tandem::cdr::test
