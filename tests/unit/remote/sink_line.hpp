// A journal in virtual time with one sink on it.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cdr/sink_runner.hpp"
#include "unit/cdr/fault_disk.hpp"
#include "unit/cdr/sample_cdr.hpp"

namespace tandem::remote::test {

struct SinkLine {
  std::shared_ptr<cdr::test::FaultDisk> disk = std::make_shared<cdr::test::FaultDisk>();
  SimulatedClock clock;
  SeededRandom random{7};
  std::unique_ptr<cdr::Journal> journal;
  std::unique_ptr<cdr::SinkRunner> runner;
  std::vector<std::uint64_t> ids;  // of the records of calls

  void open(cdr::SinkTarget& target, std::uint32_t set_aside_after = 0) {
    close();
    cdr::JournalOptions options;
    options.folder = "/j";
    options.segment_bytes = 1U << 16;
    options.threads = false;
    options.disk = disk;
    auto opened = cdr::Journal::open(std::move(options), clock, nullptr);
    REQUIRE(opened.ok());
    journal = std::move(*opened);
    cdr::SinkRunnerOptions runner_options;
    runner_options.name = "sink";
    runner_options.set_aside_after = set_aside_after;
    runner_options.disk = disk;
    runner_options.folder = "/j";
    auto created =
        cdr::SinkRunner::create(std::move(runner_options), *journal, target, clock, nullptr);
    REQUIRE_MESSAGE(created.ok(), (created.ok() ? std::string() : created.error().message));
    runner = std::move(*created);
    REQUIRE(journal->start().ok());
  }
  void close() {
    runner.reset();
    journal.reset();
  }
  void append(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto sequence = journal->append(
          cdr::RecordType::end,
          cdr::encode(cdr::EndRecord{0, cdr::test::sample_cdr(ids.size(), random)}));
      REQUIRE(sequence.ok());
      ids.push_back(*sequence);
    }
    journal->pump();
  }
  /// Pumps until everything is taken, `step_us` apart; false: never.
  bool drain(std::int64_t step_us = 61'000'000, int rounds = 200) {
    for (int i = 0; i < rounds; ++i) {
      if (runner->pump()) return true;
      clock.advance_us(step_us);
    }
    return false;
  }
};

}  // namespace tandem::remote::test
