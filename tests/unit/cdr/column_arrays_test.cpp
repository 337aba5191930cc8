// Columns of records as arrays.
#include <doctest/doctest.h>

#include <algorithm>

#include "sealed_days.hpp"
#include "tandem/cdr_columns.hpp"
#include "unit/cdr/fault_vfs.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::Sealed;
using test::varied;

namespace {

std::vector<Cdr> oldest_first(const CdrPlace& place, const CdrFilter& filter) {
  auto cursor = CdrStore(place).cursor(filter);
  REQUIRE(cursor.ok());
  std::vector<Cdr> all;
  for (;;) {
    auto next = cursor->next();
    REQUIRE(next.ok());
    if (!*next) break;
    all.push_back(std::move(**next));
  }
  std::reverse(all.begin(), all.end());
  return all;
}

void check_same(const CdrColumns& columns, const std::vector<Cdr>& records) {
  REQUIRE(columns.rows() == records.size());
  const auto ids = *columns.integers("record_id");
  const auto ends = *columns.integers("ended_at_us");
  const auto charges = *columns.integers("charge_units");
  const auto vendor_charges = *columns.integers("vendor_charge_units");
  const auto reasons = *columns.codes("end_reason");
  const auto gateways = *columns.codes("customer_gateway");
  const auto vendor_nulls = columns.nulls("vendor_charge_units");
  REQUIRE(vendor_nulls.size() == records.size());
  CHECK(columns.nulls("charge_units").empty());
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Cdr& cdr = records[i];
    CHECK(ids[i] == static_cast<std::int64_t>(cdr.record_id));
    CHECK(ends[i] == cdr.ended_at_us);
    CHECK(charges[i] == cdr.customer.charge.units());
    CHECK(vendor_charges[i] == (cdr.vendor ? cdr.vendor->charge.units() : 0));
    CHECK(vendor_nulls[i] == (cdr.vendor ? 0 : 1));
    CHECK(columns.texts("end_reason")[static_cast<std::size_t>(reasons[i])] ==
          reason_facts(cdr.end_reason).name);
    CHECK((gateways[i] >= 0) == cdr.customer_gateway.has_value());
    if (gateways[i] >= 0) {
      CHECK(columns.texts("customer_gateway")[static_cast<std::size_t>(gateways[i])] ==
            *cdr.customer_gateway);
    }
  }
}

CdrColumnsRequest request_of(std::vector<std::string> names) {
  CdrColumnsRequest request;
  request.columns = std::move(names);
  return request;
}

}  // namespace

TEST_CASE("CdrColumns: are those of the records, sealed or not, with corrections (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  std::vector<Cdr> records = varied(700, 11);
  Sealed stored(records, true);
  stored.write(varied(100, 12, 5'000));  // late ones: some days lose their columns
  test::correct(stored.database, records);
  CdrColumnsRequest request = request_of({"vendor_charge_units", "record_id", "ended_at_us",
                                          "charge_units", "end_reason", "customer_gateway"});
  for (const char* number : {"", "4420", "44*", "1212", "nobody"}) {
    request.filter.caller = number;
    for (const bool is_bounded : {false, true}) {
      request.filter.since_us.reset();
      if (is_bounded) request.filter.since_us = records[5].ended_at_us;
      const auto columns = CdrColumns::read(stored.place(), request);
      REQUIRE(columns.ok());
      const std::vector<Cdr> wanted = oldest_first(stored.place(), request.filter);
      if (wanted.empty()) {
        CHECK(columns->rows() == 0);
      } else {
        check_same(*columns, wanted);
      }
    }
  }
}

TEST_CASE("CdrColumns: live as long as the last copy, and name each text once (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const Sealed stored(varied(300, 13), true);
  std::optional<CdrColumns> copy;
  {
    const auto read = CdrColumns::read(stored.place(), request_of({"account"}));
    REQUIRE(read.ok());
    copy = *read;
  }
  std::vector<std::string> texts = copy->texts("account");
  std::sort(texts.begin(), texts.end());
  CHECK(texts == std::vector<std::string>{"", "acme", "beta"});
  CHECK(copy->codes("account")->size() == 300);
  CHECK(!copy->integers("account"));
  CHECK(!copy->codes("caller"));
  CHECK(copy->texts("caller").empty());
  CHECK(copy->nulls("caller").empty());
}

TEST_CASE("CdrColumns: all that there are come at once, and bounds hold (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const Sealed stored(varied(300, 14), true);
  std::vector<std::string> all(cdr_column_names().begin(), cdr_column_names().end());
  const auto columns = CdrColumns::read(stored.place(), request_of(all));
  REQUIRE(columns.ok());
  for (const std::string& name : all)
    CHECK(columns->integers(name).has_value() != columns->codes(name).has_value());

  const auto refused = [&](const CdrColumnsRequest& request, const CdrGuards& guards = {}) {
    const auto read = CdrColumns::read(stored.place(), request, guards);
    REQUIRE(!read.ok());
    return read.error().code;
  };
  CHECK(refused(request_of({})) == ErrorCode::invalid_argument);
  CHECK(refused(request_of({"charge"})) == ErrorCode::invalid_argument);
  CHECK(refused(request_of({"legs"})) == ErrorCode::invalid_argument);
  CHECK(refused(request_of({"caller", "caller"})) == ErrorCode::invalid_argument);
  CdrGuards guards;
  guards.rows_max = 299;
  CHECK(refused(request_of({"caller"}), guards) == ErrorCode::limit);
  CdrColumnsRequest request = request_of({"record_id"});
  request.bytes_max = 300 * sizeof(std::int64_t);
  CHECK(CdrColumns::read(stored.place(), request).ok());
  --request.bytes_max;
  CHECK(refused(request) == ErrorCode::limit);
}
