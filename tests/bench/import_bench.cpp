// A partner's price list of 200,000 prefixes into a switch: read, stored as a version, in force.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "bench.hpp"
#include "tandem/clock.hpp"
#include "tandem/provision.hpp"

namespace tandem::bench {
namespace {

constexpr int rows = 200'000;

std::string price_list(int first_price) {
  std::string csv = "prefix,price,per_s,first_s,next_s\n";
  for (int i = 0; i < rows; ++i) {
    csv += std::to_string(2'000'000 + 37 * i);
    csv += ",0.0" + std::to_string(10 + (i * 7 + first_price) % 90) + ",60,1,1\n";
  }
  return csv;
}

/// CPU seconds of one import; below 0 when it was refused.
double import_s(Provisioning& objects, std::string csv) {
  ProvisionChange change;
  change.puts.push_back({"rate_decks", "partner", "", std::move(csv)});
  const std::int64_t start_ns = cpu_ns();
  const ProvisionOutcome outcome = objects.change(change);
  return outcome.faults.empty() ? static_cast<double>(cpu_ns() - start_ns) * 1e-9 : -1;
}

}  // namespace

TANDEM_BENCH("route.import_200k", "s") {
  std::string folder = (std::filesystem::temp_directory_path() / "tandem-import-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return Figure::skipped("no temporary folder");
  struct Removed {
    const std::string& path;
    ~Removed() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  } removed{folder};
  SwitchConfig config;
  config.folder = folder;
  auto objects = Provisioning::open(config);
  if (!objects) return Figure::skipped(objects.error().message);
  const double first_s = import_s(*objects, price_list(0));
  const double again_s = import_s(*objects, price_list(1));
  if (first_s < 0 || again_s < 0) return Figure::skipped("the price list was refused");
  return Figure{again_s,
                "{\"rows\":" + std::to_string(rows) +
                    ",\"from\":\"CSV in memory\",\"to\":\"the database, and tables in force\"" +
                    ",\"first_import_s\":" + std::to_string(first_s) + ",\"threads\":\"all\"}"};
}

}  // namespace tandem::bench
