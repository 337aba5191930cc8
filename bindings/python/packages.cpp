// Packages.
#include "tandem/packages.hpp"

#include <exception>

#include "binding.hpp"
#include "tandem/package_calls.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {
namespace {

/// Python functions as the host of a book. What they raise fails the step, and goes on to whoever
/// asked the book.
class PythonHost final : public PackageHost {
 public:
  PythonHost(py::function take, py::object keep) : take_(std::move(take)), keep_(std::move(keep)) {}

  Result<bool> take(const PackageDue& due) override {
    bool is_taken = false;
    auto asked = ask([&] { is_taken = take_(due).cast<bool>(); });
    if (!asked) return asked.error();
    return is_taken;
  }
  Result<void> keep(const PackageChange& change) override {
    return keep_.is_none() ? Result<void>() : ask([&] { keep_(to_json(change)); });
  }
  void raise() const {
    if (raised_) std::rethrow_exception(raised_);
  }

 private:
  template <class Question>
  Result<void> ask(Question&& question) {
    try {
      question();
      return {};
    } catch (const std::exception&) {
      if (!raised_) raised_ = std::current_exception();
      return Error{ErrorCode::io, "the host raised an exception"};
    }
  }

  std::exception_ptr raised_;  // the first
  py::function take_;
  py::object keep_;
};

std::string current_json(const PackageBook& book, const std::string& account,
                         const std::string& phone) {
  std::string json = "[";
  for (const PackagePeriod& period :
       phone.empty() ? book.current(account) : book.current_of_phone(phone)) {
    if (json.size() > 1) json += ',';
    json += to_json(period);
  }
  return json += ']';
}

}  // namespace

void bind_packages(py::module_& m) {
  py::class_<PackageDue>(m, "PackageDue")
      .def_property_readonly("is_rent",
                             [](const PackageDue& d) { return d.kind == PackageDue::Kind::rent; })
      .def_readonly("must_be_covered", &PackageDue::must_be_covered)
      .def_readonly("key", &PackageDue::key)
      .def_readonly("account", &PackageDue::account)
      .def_readonly("order", &PackageDue::order)
      .def_readonly("package", &PackageDue::package)
      .def_readonly("phone", &PackageDue::phone)
      .def_readonly("period_start_us", &PackageDue::period_start_us)
      .def_readonly("amount", &PackageDue::amount)
      .def_readonly("at_us", &PackageDue::at_us);

  py::class_<PackagedCharge>(m, "PackagedCharge")
      .def_property_readonly("charge", [](const PackagedCharge& c) { return c.charge.charge; })
      .def_property_readonly("billed_time_s",
                             [](const PackagedCharge& c) { return c.charge.billed_time_s; })
      .def_property_readonly("package_charge", [](const PackagedCharge& c) { return c.use.money; })
      .def_property_readonly("package_time_s", [](const PackagedCharge& c) { return c.use.time_s; })
      .def_property_readonly("use", [](const PackagedCharge& c) { return to_text(c.use); });

  py::class_<PackageBook>(m, "PackageBook")
      .def(py::init<>())
      .def(
          "provision_json",
          [](PackageBook& b, const std::string& json) { take(provision_packages(b, json)); },
          "json"_a)
      .def(
          "restore",
          [](PackageBook& b, const std::string& change, const std::string& use) {
            take(b.restore(take(parse_package_change(change)), take(parse_package_use(use))));
          },
          "change"_a, "use"_a = "")
      .def(
          "advance",
          [](PackageBook& b, std::int64_t now_us, py::function take_money, py::object keep) {
            PythonHost host(std::move(take_money), std::move(keep));
            auto next_us = b.advance(now_us, host);
            host.raise();
            return take(std::move(next_us));
          },
          "now_us"_a, "take"_a, "keep"_a = py::none())
      .def(
          "recharge",
          [](PackageBook& b, const std::string& account, std::int64_t now_us,
             py::function take_money, py::object keep) {
            PythonHost host(std::move(take_money), std::move(keep));
            auto done = b.recharge(account, now_us, host);
            host.raise();
            take(std::move(done));
          },
          "account"_a, "now_us"_a, "take"_a, "keep"_a = py::none())
      .def("current_json", &current_json, "account"_a, "phone"_a = "")
      .def(
          "charge",
          [](PackageBook& b, const std::string& account, const std::string& callee,
             std::int64_t answered_at_us, std::int64_t talk_time_ms, const Rate& rate,
             const FeeRules& rules, const std::string& schedule, const std::string& phone) {
            return take(charge_call(b, account, callee, talk_time_ms, rate, rules,
                                    {answered_at_us, take(RateSchedule::parse(schedule))}, phone));
          },
          "account"_a, "callee"_a, "answered_at_us"_a, "talk_time_ms"_a, "rate"_a,
          "rules"_a = FeeRules{}, "schedule"_a = "", "phone"_a = "");
}

}  // namespace binding
