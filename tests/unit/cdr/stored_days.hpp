// Day files with records that vary, and the records themselves.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/clock.hpp"
#include "unit/cdr/fault_vfs.hpp"
#include "unit/cdr/report_oracle.hpp"
#include "unit/cdr/temporary_folder.hpp"

namespace tandem::cdr::test {

struct StoredDays {
  TemporaryFolder folder;
  std::vector<Cdr> all;  // in the order of their numbers

  StoredDays(std::uint64_t count, std::uint64_t seed) {
    const FaultVfs quick(FaultVfs::Medium::assumed);  // which flushes nothing for real
    SeededRandom random(seed);
    auto sink = make_sqlite_sink(folder.path());
    REQUIRE(sink.ok());
    for (std::uint64_t i = 1; i <= count; ++i) {
      all.push_back(varied_cdr(i, random));
      REQUIRE((*sink)->write(all.back()).ok());
    }
    REQUIRE((*sink)->flush().ok());
  }
};

}  // namespace tandem::cdr::test
