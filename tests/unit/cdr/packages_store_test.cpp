#include <doctest/doctest.h>

#include "cdr/packages_sqlite.hpp"
#include "cdr/records.hpp"

using namespace tandem;
using namespace tandem::cdr;

namespace {

RecordView view(RecordType type, const std::string& payload, std::uint64_t sequence) {
  RecordView record;
  record.type = type;
  record.payload = payload;
  record.sequence = sequence;
  return record;
}

Amount units(std::int64_t count) { return Amount::from_units(count); }

}  // namespace

TEST_CASE("PackageStore: keeps the last step of an order and the uses of its period (B-22, B-23)") {
  auto store = PackageStore::open(":memory:");
  REQUIRE(store.ok());
  CHECK((*store)->position().value() == 0);
  const std::string opened = encode(PackageRecord{"o", true, 5, "first"});
  EndRecord call;
  call.packages = {
      {"o", 5, 0, 60, {}, {}}, {"o", 5, -1, 0, units(3), units(7)}, {"gone", 1, 0, 9, {}, {}}};
  const std::string ended = encode(call);
  CHECK(decode_end(ended, 2)->packages == call.packages);
  CHECK(decode_end_packages(ended).value() == call.packages);
  const std::vector<RecordView> batch = {view(RecordType::package, opened, 1),
                                         view(RecordType::end, ended, 2),
                                         view(RecordType::end, ended, 3)};
  REQUIRE((*store)->write_batch(batch, 3).ok());
  CHECK((*store)->position().value() == 3);
  auto kept = (*store)->orders();
  REQUIRE(kept.ok());
  REQUIRE(kept->size() == 1);
  CHECK((*kept)[0].change == "first");
  CHECK((*kept)[0].used.parts == std::vector<PackageUse::Part>{{"o", 5, -1, 0, units(6), units(14)},
                                                               {"o", 5, 0, 120, {}, {}}});
  // The next period begins with nothing, and a late call of the first is not counted for it.
  const std::string next = encode(PackageRecord{"o", true, 6, "second"});
  const std::vector<RecordView> later = {view(RecordType::package, next, 4),
                                         view(RecordType::end, ended, 5)};
  REQUIRE((*store)->write_batch(later, 5).ok());
  kept = (*store)->orders();
  CHECK((*kept)[0].change == "second");
  CHECK((*kept)[0].used.parts.empty());
}

TEST_CASE("PackageStore: a record that is damaged leaves everything as it was (B-23)") {
  auto store = PackageStore::open(":memory:");
  const std::string good = encode(PackageRecord{"o", true, 5, "first"});
  const std::string bad = good.substr(0, good.size() - 2);
  CHECK_FALSE(decode_package(bad).ok());
  const std::vector<RecordView> batch = {view(RecordType::package, good, 1),
                                         view(RecordType::package, bad, 2)};
  CHECK_FALSE((*store)->write_batch(batch, 2).ok());
  CHECK((*store)->orders()->empty());
  CHECK((*store)->position().value() == 0);
  CHECK(decode_end(encode(EndRecord{1, {}, {}}), 1)->packages.empty());
}
