#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "cdr/files_sink.hpp"
#include "fault_disk.hpp"
#include "sample_cdr.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::FaultDisk;

namespace {

constexpr std::int64_t second_us = 1'000'000;

struct Files {
  std::shared_ptr<FaultDisk> disk = std::make_shared<FaultDisk>();
  CdrFilesConfig config{.folder = "/f", .interval_s = 300};
  std::unique_ptr<FilesSink> sink;
  std::vector<std::string> payloads;
  SeededRandom random{1};

  void open() {
    sink.reset();
    auto opened = FilesSink::open(config, disk);
    REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? std::string() : opened.error().message));
    sink = std::move(*opened);
  }
  /// A record of a call that ended so many seconds after noon.
  RecordView record(std::uint64_t id, std::int64_t ended_s) {
    Cdr cdr = test::sample_cdr(0, random);
    cdr.ended_at_us = test::noon_us + ended_s * second_us;
    payloads.push_back(encode(EndRecord{id, cdr}));
    return RecordView{id, RecordType::end, payloads.back()};
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    const auto listed = disk->list("/f");
    for (const std::string& name : *listed) {
      if (!name.starts_with(".")) all.push_back(name);
    }
    std::sort(all.begin(), all.end());
    return all;
  }
  /// Ids of the records of a file, which are the last field of its lines.
  [[nodiscard]] std::vector<std::uint64_t> ids(const std::string& name) const {
    const std::string text = read_file(*disk, "/f/" + name).value();
    std::vector<std::uint64_t> all;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      REQUIRE(end != std::string::npos);  // whole lines only
      const std::string line = text.substr(at, end - at);
      all.push_back(std::stoull(line.substr(line.rfind('|') + 1)));
      at = end + 1;
    }
    return all;
  }
};

}  // namespace

TEST_CASE(
    "FilesSink: a file has its name when it is complete, and late records go elsewhere (C-05)") {
  Files files;
  files.payloads.reserve(100);
  files.open();
  const std::vector<RecordView> first = {files.record(1, 10), files.record(2, 299)};
  REQUIRE(files.sink->write_batch(first, 2).ok());
  CHECK(files.names() == std::vector<std::string>{"20261125120000.txt.part"});
  const std::vector<RecordView> second = {files.record(3, 305), files.record(4, 20),
                                          files.record(5, 900)};
  REQUIRE(files.sink->write_batch(second, 5).ok());
  CHECK(files.names() == std::vector<std::string>{"20261125120000.txt", "20261125120500.txt",
                                                  "20261125121500.txt.part"});
  CHECK(files.ids("20261125120000.txt") == std::vector<std::uint64_t>{1, 2});
  CHECK(files.ids("20261125120500.txt") == std::vector<std::uint64_t>{3, 4});
  // Time alone completes the last one; what comes later for its interval gets another file.
  const std::int64_t over_us = test::noon_us + 1'260 * second_us;
  REQUIRE(files.sink->idle(over_us - 1).ok());
  CHECK(files.names().back() == "20261125121500.txt.part");
  REQUIRE(files.sink->idle(over_us).ok());
  CHECK(files.names().back() == "20261125121500.txt");
  files.open();  // what was the last one is known to the next process
  const RecordView late = files.record(6, 901);
  REQUIRE(files.sink->write_batch({&late, 1}, 6).ok());
  REQUIRE(files.sink->idle(over_us).ok());
  CHECK(files.ids("20261125121500.txt") == std::vector<std::uint64_t>{5});
  CHECK(files.ids("20261125121500-2.txt") == std::vector<std::uint64_t>{6});
}

TEST_CASE("FilesSink: full files are followed by others, and the oldest are removed (C-05)") {
  Files files;
  files.payloads.reserve(100);
  files.config.records_max = 2;
  files.config.files_max = 3;
  files.config.unanswered = true;
  files.open();
  std::vector<RecordView> batch;
  for (std::uint64_t id = 1; id <= 21; ++id)
    batch.push_back(files.record(id, 1));
  REQUIRE(files.sink->write_batch(batch, 21).ok());
  CHECK(files.names() == std::vector<std::string>{"20261125120000-10.txt",
                                                  "20261125120000-11.txt.part",
                                                  "20261125120000-8.txt", "20261125120000-9.txt"});
  CHECK(files.ids("20261125120000-10.txt") == std::vector<std::uint64_t>{19, 20});
  const std::vector<RecordView> again = {files.record(21, 1), files.record(22, 1)};
  REQUIRE(files.sink->write_batch(again, 22).ok());  // 21 came before
  CHECK(files.ids("20261125120000-11.txt.part") == std::vector<std::uint64_t>{21, 22});
}

TEST_CASE("FilesSink: answered calls only, csv with its header, wrong settings refused (C-05)") {
  Files files;
  files.payloads.reserve(100);
  files.config.layout = CsvLayout::csv;
  files.config.unanswered = false;
  files.open();
  std::vector<RecordView> batch;
  std::size_t answered = 0;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    batch.push_back(files.record(id, 1));
    answered += decode_end(batch.back().payload, id)->cdr.answered_at_us != 0 ? 1 : 0;
  }
  REQUIRE(files.sink->write_batch(batch, 20).ok());
  const std::string text = read_file(*files.disk, "/f/20261125120000.csv.part").value();
  CHECK(text.starts_with(csv_header() + "\r\n"));
  CHECK(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) == answered + 1);
  for (const std::int32_t interval_s : {59, 86'401}) {
    CHECK(FilesSink::open({.folder = "/g", .interval_s = interval_s}, files.disk).error().code ==
          ErrorCode::invalid_argument);
  }
  CHECK(FilesSink::open(files.config, files.disk).error().code == ErrorCode::already_exists);
}

TEST_CASE("FilesSink: a clock that stood in the future holds no file open (C-05)") {
  Files files;
  files.payloads.reserve(100);
  files.open();
  constexpr std::int64_t year_s = 365 * 86'400;
  const std::int64_t now_us = test::noon_us + 20 * second_us;
  const std::vector<RecordView> first = {files.record(1, 10), files.record(2, year_s),
                                         files.record(3, 15)};
  REQUIRE(files.sink->write_batch(first, 3).ok());
  CHECK(files.names() == std::vector<std::string>{"20261125120000.txt", "20271125120000.txt.part"});
  REQUIRE(files.sink->idle(now_us).ok());
  CHECK(files.ids("20271125120000.txt") == std::vector<std::uint64_t>{2, 3});
  files.open();  // and the next process knows
  // Complete files of the same interval keep what they have.
  const RecordView later = files.record(4, 20);
  REQUIRE(files.sink->write_batch({&later, 1}, 4).ok());
  REQUIRE(files.sink->idle(now_us).ok());
  CHECK(files.names() == std::vector<std::string>{"20261125120000-2.txt.part", "20261125120000.txt",
                                                  "20271125120000.txt"});
  CHECK(files.ids("20261125120000.txt") == std::vector<std::uint64_t>{1});
  // The interval that was written ahead of its time comes in the end.
  const RecordView then = files.record(5, year_s);
  REQUIRE(files.sink->write_batch({&then, 1}, 5).ok());
  CHECK(files.ids("20261125120000-2.txt") == std::vector<std::uint64_t>{4});
  CHECK(files.ids("20271125120000-2.txt.part") == std::vector<std::uint64_t>{5});
  CHECK(files.ids("20271125120000.txt") == std::vector<std::uint64_t>{2, 3});
}

TEST_CASE("FilesSink: a file that was begun in another layout is completed as it is (C-05)") {
  Files files;
  files.payloads.reserve(100);
  files.open();
  const RecordView first = files.record(1, 10);
  REQUIRE(files.sink->write_batch({&first, 1}, 1).ok());
  files.config.layout = CsvLayout::csv;
  files.open();
  CHECK(files.names() == std::vector<std::string>{"20261125120000.txt"});
  const RecordView second = files.record(2, 11);
  REQUIRE(files.sink->write_batch({&second, 1}, 2).ok());
  CHECK(files.ids("20261125120000.txt") == std::vector<std::uint64_t>{1});
  CHECK(files.names().size() == 2);
  CHECK(read_file(*files.disk, "/f/" + files.names().front()).value().starts_with(csv_header()));
}

TEST_CASE("FilesSink: each record is in one file whatever fails and whenever power is cut (C-05)") {
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SeededRandom random(seed);
    Files files;
    files.payloads.reserve(1'000);
    files.config.records_max = 1 + static_cast<std::uint32_t>(random.below(6));
    files.config.files_max = 0;
    files.open();
    std::vector<RecordView> all;
    std::int64_t at_s = 0;
    for (std::uint64_t id = 1; id <= 40; ++id) {
      at_s += static_cast<std::int64_t>(random.below(200)) - 20;
      all.push_back(files.record(id, std::max<std::int64_t>(at_s, 0)));
    }
    for (int steps = 0; files.sink->position().value() < all.back().sequence; ++steps) {
      REQUIRE(steps < 1'000);
      if (random.below(3) == 0) files.disk->fail_sync_in = 1 + random.below(8);
      if (random.below(5) == 0) files.disk->fail_write_in = 1 + random.below(4);
      const std::uint64_t reached = files.sink->position().value();
      const std::uint64_t size = std::min<std::uint64_t>(1 + random.below(9), all.size() - reached);
      const std::span<const RecordView> batch(all.data() + reached, size);
      (void)files.sink->write_batch(batch, batch.back().sequence);  // refused: offered again
      if (random.below(4) == 0) (void)files.sink->idle(test::noon_us + at_s * second_us);
      if (random.below(4) == 0) {
        ++cuts;
        files.sink.reset();
        files.disk->cut_power(random);
        files.disk->fail_sync_in = files.disk->fail_write_in = 0;
        files.open();
        CHECK(files.sink->position().value() >= reached);
      }
      files.disk->fail_sync_in = files.disk->fail_write_in = 0;
    }
    // The last one is completed by time; then every record is there once.
    REQUIRE(files.sink->idle(test::noon_us + (at_s + 100'000) * second_us).ok());
    std::multiset<std::uint64_t> found;
    for (const std::string& name : files.names()) {
      REQUIRE_MESSAGE(name.ends_with(".txt"), name);
      for (const std::uint64_t id : files.ids(name))
        found.insert(id);
    }
    std::multiset<std::uint64_t> expected;
    for (const RecordView& view : all)
      expected.insert(view.sequence);
    REQUIRE(found == expected);
  }
  CHECK(cuts > 500);
}
