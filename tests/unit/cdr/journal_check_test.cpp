#include <doctest/doctest.h>

#include <algorithm>

#include "cdr/journal.hpp"
#include "cdr/journal_check.hpp"
#include "fault_disk.hpp"
#include "sample_cdr.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::FaultDisk;

namespace {

/// Writes a journal of some files, in several lives.
void write_journal(const std::shared_ptr<FaultDisk>& disk, std::uint64_t records, bool is_closed) {
  SimulatedClock clock;
  SeededRandom random(1);
  JournalOptions options;
  options.folder = "/j";
  options.segment_bytes = 1U << 16;
  options.threads = false;
  options.disk = disk;
  auto journal = Journal::open(std::move(options), clock, nullptr);
  REQUIRE(journal.ok());
  REQUIRE((*journal)->add_cursor("keeps", 0).ok());  // so that no file is recycled
  REQUIRE((*journal)->start().ok());
  for (std::uint64_t i = 0; i < records; ++i) {
    REQUIRE((*journal)
                ->append(RecordType::end, encode(EndRecord{0, test::sample_cdr(i, random)}))
                .ok());
    if (i % 10 == 9) (*journal)->pump();
  }
  (*journal)->pump();
  if (!is_closed) {  // the process dies: nothing is written any more
    disk->fail_write_in = 1;
    disk->fails_on = true;
  }
  journal->reset();
  disk->heal();
}

std::uint64_t ends_of(const JournalCheck& check) {
  std::uint64_t ends = 0;
  for (const JournalSegmentFacts& segment : check.segments)
    ends += segment.ends;
  return ends;
}

}  // namespace

TEST_CASE("check_journal: counts what was written, life after life, and finds no damage (O-08)") {
  const auto disk = std::make_shared<FaultDisk>();
  write_journal(disk, 400, true);
  auto check = cdr::check_journal(*disk, "/j");
  REQUIRE(check.ok());
  CHECK(check->ok());
  CHECK(check->was_closed);
  CHECK(ends_of(*check) == 400);
  CHECK(check->segments.size() > 2);
  CHECK(check->segments.front().first_record == 1);
  write_journal(disk, 100, true);
  check = cdr::check_journal(*disk, "/j");
  REQUIRE(check.ok());
  CHECK(check->ok());
  CHECK(ends_of(*check) == 500);
  CHECK(to_json(*check).starts_with("{\"ok\":true,\"was_closed\":true,\"torn_records\":0,"));
  CHECK(to_table(*check).find(check->segments[0].file) != std::string::npos);
}

TEST_CASE("check_journal: names what is damaged or missing, as an opening would refuse it (O-08)") {
  const auto made = std::make_shared<FaultDisk>();
  write_journal(made, 400, true);
  const auto whole = cdr::check_journal(*made, "/j");
  REQUIRE(whole.ok());
  SeededRandom random(2);
  std::uint64_t damaged = 0;
  for (int round = 0; round < 200; ++round) {
    const auto disk = std::make_shared<FaultDisk>();
    for (const JournalSegmentFacts& segment : whole->segments)
      disk->put("/j/" + segment.file, made->content("/j/" + segment.file));
    const JournalSegmentFacts& hit = whole->segments[random.below(whole->segments.size())];
    const bool is_missing = random.below(5) == 0;
    if (is_missing) {
      REQUIRE(disk->remove("/j/" + hit.file).ok());
    } else {
      std::string& content = disk->content("/j/" + hit.file);
      content[random.below(hit.bytes_used)] ^= static_cast<char>(1 + random.below(255));
    }
    const auto check = cdr::check_journal(*disk, "/j");
    REQUIRE(check.ok());
    SimulatedClock clock;
    JournalOptions options;
    options.folder = "/j";
    options.segment_bytes = 1U << 16;
    options.threads = false;
    options.disk = disk;
    auto opened = Journal::open(std::move(options), clock, nullptr);
    CHECK(check->ok() == opened.ok());
    if (check->ok()) continue;
    ++damaged;
    const auto names = [&hit](const std::string& line) {
      return line.find(hit.file) != std::string::npos;
    };
    if (!is_missing) CHECK(std::any_of(check->damages.begin(), check->damages.end(), names));
  }
  CHECK(damaged > 100);
}

TEST_CASE("check_journal: a torn end that nobody was promised is no damage (O-08)") {
  const auto disk = std::make_shared<FaultDisk>();
  write_journal(disk, 25, false);
  auto check = cdr::check_journal(*disk, "/j");
  REQUIRE(check.ok());
  REQUIRE(check->ok());
  CHECK_FALSE(check->was_closed);
  const JournalSegmentFacts& last = check->segments.back();
  disk->content("/j/" + last.file)[last.bytes_used - 1] ^= 1;
  disk->content("/j/" + last.file)[last.bytes_used - 40] ^= 1;
  check = cdr::check_journal(*disk, "/j");
  REQUIRE(check.ok());
  CHECK(check->ok());
  CHECK(ends_of(*check) < 25);
  CHECK(cdr::check_journal(*disk, "/absent").value().segments.empty());
}
