#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "cdr/journal.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "unit/cdr/sample_cdr.hpp"

namespace tandem::bench {
namespace {

/// In the working folder: that of temporary files may be memory, which has no flush to measure.
struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::current_path() / "cdr-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

std::vector<std::string> sample_payloads(std::size_t count) {
  SeededRandom random(1);
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < count; ++i) {
    payloads.push_back(cdr::encode(cdr::EndRecord{i, cdr::test::sample_cdr(i, random)}));
  }
  return payloads;
}

}  // namespace

TANDEM_BENCH("cdr.journal_durable_per_s", "1/s") {
  Folder folder;
  SystemClock clock;
  cdr::JournalOptions options;
  options.folder = folder.path + "/journal";
  auto journal = cdr::Journal::open(std::move(options), clock, nullptr);
  if (!journal) return Figure::skipped(journal.error().message);
  auto cursor = (*journal)->add_cursor("none", 0);
  if (!cursor || !(*journal)->start()) return Figure::skipped("the journal could not be started");
  const std::vector<std::string> payloads = sample_payloads(4'096);
  const std::int64_t begin_ns = wall_ns();
  const std::int64_t begin_cpu_ns = cpu_ns();
  const auto end_ns = begin_ns + static_cast<std::int64_t>(seconds() * 1e9);
  std::uint64_t count = 0;
  std::uint64_t last = 0;
  while (wall_ns() < end_ns) {
    for (int i = 0; i < 1'000; ++i) {
      auto sequence = (*journal)->append(cdr::RecordType::end, payloads[count % payloads.size()]);
      if (!sequence) {
        (void)(*journal)->wait_durable(last - 30'000,
                                       1'000);  // the queue is full: half of it will do
        continue;
      }
      last = *sequence;
      ++count;
    }
    (*journal)->advance_cursor(*cursor, (*journal)->durable_sequence());
  }
  if (!(*journal)->wait_durable(last, 60'000)) return Figure::skipped("the disk took no records");
  const double elapsed_s = static_cast<double>(wall_ns() - begin_ns) / 1e9;
  const double cpu_us =
      static_cast<double>(cpu_ns() - begin_cpu_ns) / 1e3 / static_cast<double>(count);
  const auto commits = (*journal)->counters().commits;
  return Figure(
      static_cast<double>(count) / elapsed_s,
      "{\"payload_bytes\":" + std::to_string(payloads[0].size()) +
          ",\"records_per_commit\":" + std::to_string(count / (commits == 0 ? 1 : commits)) +
          ",\"cpu_us_per_record\":" + std::to_string(cpu_us) + ",\"producers\":1}");
}

namespace {

/// What one core takes in, batch after batch. `payloads` are end records.
Figure batches_per_s(cdr::SinkTarget& target, const std::vector<std::string>& payloads,
                     const std::string& detail) {
  constexpr std::size_t batch_records = 10'000;
  std::vector<cdr::RecordView> batch(batch_records);
  const std::int64_t begin_ns = wall_ns();
  const std::int64_t begin_cpu_ns = cpu_ns();
  const auto end_ns = begin_ns + static_cast<std::int64_t>(seconds() * 1e9);
  std::uint64_t count = 0;
  while (wall_ns() < end_ns) {
    for (cdr::RecordView& view : batch) {
      view.sequence = ++count;
      view.type = cdr::RecordType::end;
      view.payload = payloads[count % payloads.size()];
    }
    if (auto done = target.write_batch(batch, count); !done)
      return Figure::skipped(done.error().message);
  }
  const double elapsed_s = static_cast<double>(wall_ns() - begin_ns) / 1e9;
  const double cpu_us =
      static_cast<double>(cpu_ns() - begin_cpu_ns) / 1e3 / static_cast<double>(count);
  // The file system's share of the time is in the wall clock's figure.
  return Figure(1e6 / cpu_us,
                "{\"records\":" + std::to_string(count) +
                    ",\"batch_records\":" + std::to_string(batch_records) + "," + detail +
                    ",\"cpu_us_per_record\":" + std::to_string(cpu_us) + ",\"wall_per_s\":" +
                    std::to_string(static_cast<long>(static_cast<double>(count) / elapsed_s)) +
                    "}");
}

}  // namespace

TANDEM_BENCH("cdr.sqlite_sink_per_s", "1/s") {
  Folder folder;
  auto sink = cdr::SqliteSink::open(folder.path + "/days");
  if (!sink) return Figure::skipped(sink.error().message);
  return batches_per_s(**sink, sample_payloads(65'536), "\"indexes\":\"7, four of them partial\"");
}

TANDEM_BENCH("cdr.ledger_per_s", "1/s") {
  Folder folder;
  auto ledger = cdr::Ledger::open(folder.path + "/switch.db");
  if (!ledger) return Figure::skipped(ledger.error().message);
  // Every call is charged on both sides, those of 1,000 customers and 50 vendors.
  SeededRandom random(1);
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < 65'536; ++i) {
    Cdr cdr = cdr::test::sample_cdr(i, random);
    cdr.customer.account = "customer-" + std::to_string(random.below(1'000));
    cdr.customer.charge =
        Amount::from_units(1 + static_cast<std::int64_t>(random.below(1'000'000)));
    cdr.vendor->account = "vendor-" + std::to_string(random.below(50));
    cdr.vendor->charge = Amount::from_units(1 + static_cast<std::int64_t>(random.below(1'000'000)));
    payloads.push_back(cdr::encode(cdr::EndRecord{i, cdr}));
  }
  return batches_per_s(**ledger, payloads, "\"entries_per_record\":2,\"accounts\":1050");
}

}  // namespace tandem::bench
