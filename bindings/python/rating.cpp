// Rates, decks, charges, accounts.
#include "tandem/rating.hpp"
#include "binding.hpp"
#include "tandem/accounts.hpp"
#include "tandem/billing_prefixes.hpp"
#include "tandem/cdr.hpp"
#include "tandem/charge_terms.hpp"
#include "tandem/deck_import.hpp"
#include "tandem/margin.hpp"
#include "tandem/rerate.hpp"

using namespace tandem;
using namespace pybind11::literals;

namespace binding {
namespace {

/// A hold with the book that it must not outlive.
struct Hold {
  std::shared_ptr<AccountBook> book;
  MoneyHold body;
};

/// A meter with what it borrows from.
struct Meter {
  Meter(std::shared_ptr<AccountBook> owner, Rate given, const FeeRules& rules, MoneyHold hold,
        CallStart start, LimitHold limits)
      : book(std::move(owner)),
        rate(std::move(given)),
        body(rate, rules, std::move(hold), std::move(start), 0, {}, std::move(limits)) {}
  const std::shared_ptr<AccountBook> book;
  const Rate rate;
  CallMeter body;
};

py::dict state_dict(const AccountBook& book, const AccountState& s) {
  return py::dict("id"_a = s.settings.id, "kind"_a = account_kind_name(s.settings.kind),
                  "balance"_a = s.balance, "held"_a = s.held,
                  "usable"_a = book.usable(book.find(s.settings.id)), "agent"_a = s.settings.agent,
                  "largest_overdraft"_a = largest_overdraft(s),
                  "overdraft_limit"_a = s.settings.overdraft_limit,
                  "currency"_a = s.settings.currency, "rate_deck"_a = s.settings.rate_deck,
                  "locked"_a = s.settings.locked, "open_holds"_a = s.open_holds,
                  "refused_calls"_a = s.refused_calls);
}

}  // namespace

void bind_rating(py::module_& m) {
  py::class_<Rate>(m, "Rate")
      .def(py::init([](std::string prefix, Amount price, std::int64_t per_s, std::int64_t first_s,
                       std::int64_t next_s, Amount connection_fee, Amount minimum, bool locked,
                       const std::string& call_level, std::int64_t from_us, std::int64_t until_us,
                       const std::string& sections, std::string area, const std::string& tiers,
                       const std::string& windows, std::int64_t grace_s, std::int64_t free_s,
                       Amount maximum, std::optional<Amount> tax_percent) {
             Rate rate;
             rate.prefix = std::move(prefix);
             rate.area = std::move(area);
             rate.price = price;
             rate.per_s = per_s;
             rate.first_s = first_s;
             rate.next_s = next_s;
             rate.connection_fee = connection_fee;
             rate.minimum = minimum;
             rate.locked = locked;
             rate.call_level = take(call_level_from_name(call_level));
             rate.valid_from_us = from_us;
             rate.valid_until_us = until_us;
             if (!sections.empty()) rate.sections = take(parse_sections(sections));
             rate.terms = RateTerms{take(parse_tiers(tiers)),
                                    take(parse_windows(windows)),
                                    grace_s,
                                    free_s,
                                    maximum,
                                    tax_percent};
             take(check_rate(rate));
             return rate;
           }),
           "prefix"_a, "price"_a, py::kw_only(), "per_s"_a = 60, "first_s"_a = 1, "next_s"_a = 1,
           "connection_fee"_a = "0", "minimum"_a = "0", "locked"_a = false, "call_level"_a = "",
           "valid_from_us"_a = 0, "valid_until_us"_a = 0, "sections"_a = "", "area"_a = "",
           "tiers"_a = "", "windows"_a = "", "grace_s"_a = 0, "free_s"_a = 0, "maximum"_a = "0",
           "tax_percent"_a = py::none())
      .def_property_readonly("sections", [](const Rate& r) { return to_text(r.sections); })
      .def_property_readonly("tiers", [](const Rate& r) { return to_text(r.terms->tiers); })
      .def_property_readonly("windows", [](const Rate& r) { return to_text(r.terms->windows); })
      .def_property_readonly("grace_s", [](const Rate& r) { return r.terms->grace_s; })
      .def_property_readonly("free_s", [](const Rate& r) { return r.terms->free_s; })
      .def_property_readonly("maximum", [](const Rate& r) { return r.terms->maximum; })
      .def_property_readonly("tax_percent", [](const Rate& r) { return r.terms->tax_percent; })
      .def_readonly("prefix", &Rate::prefix)
      .def_readonly("area", &Rate::area)
      .def_property_readonly("price", [](const Rate& r) { return r.price; })
      .def_readonly("per_s", &Rate::per_s)
      .def_readonly("first_s", &Rate::first_s)
      .def_readonly("next_s", &Rate::next_s)
      .def_property_readonly("connection_fee", [](const Rate& r) { return r.connection_fee; })
      .def_property_readonly("minimum", [](const Rate& r) { return r.minimum; })
      .def_readonly("locked", &Rate::locked)
      .def_property_readonly("call_level",
                             [](const Rate& r) { return call_level_name(r.call_level); })
      .def_readonly("valid_from_us", &Rate::valid_from_us)
      .def_readonly("valid_until_us", &Rate::valid_until_us)
      .def(
          "__eq__", [](const Rate& a, const Rate& b) { return a == b; }, py::is_operator());

  py::class_<FeeRules>(m, "FeeRules")
      .def(py::init([](int precision, Amount unit, const std::string& rounding, int hold_ms,
                       std::int64_t free_time_s, Amount tax_percent) {
             FeeRules rules{precision, unit,        take(fee_rounding_from_name(rounding)),
                            hold_ms,   free_time_s, tax_percent};
             take(check_fee_rules(rules));
             return rules;
           }),
           py::kw_only(), "precision"_a = 6, "unit"_a = "0", "rounding"_a = "half_up",
           "hold_time_precision_ms"_a = 50, "free_time_s"_a = 0, "tax_percent"_a = "0");

  py::class_<Charge>(m, "Charge")
      .def_property_readonly("charge", [](const Charge& c) { return c.charge; })
      .def_readonly("billed_time_s", &Charge::billed_time_s)
      .def("__repr__", [](const Charge& c) {
        return "Charge(charge=" + c.charge.to_string() +
               ", billed_time_s=" + std::to_string(c.billed_time_s) + ")";
      });

  m.def(
      "rate_call",
      [](const Rate& rate, std::int64_t talk_time_ms, const FeeRules& rules,
         std::int64_t answered_at_us, const std::string& schedule) {
        return take(rate_call(rate, talk_time_ms, rules, nullptr,
                              {answered_at_us, take(RateSchedule::parse(schedule))}));
      },
      "rate"_a, "talk_time_ms"_a, "rules"_a = FeeRules(), "answered_at_us"_a = 0,
      "schedule"_a = "");
  m.def(
      "available_time_s",
      [](const Rate& rate, Amount usable, const FeeRules& rules, std::int64_t answered_at_us,
         const std::string& schedule) {
        return available_time_s(rate, usable, rules,
                                {answered_at_us, take(RateSchedule::parse(schedule))});
      },
      "rate"_a, "usable"_a, "rules"_a = FeeRules(), "answered_at_us"_a = 0, "schedule"_a = "");
  m.def(
      "recompute_charge",
      [](const std::string& rate_terms, std::int64_t talk_time_ms, std::int64_t answered_at_us) {
        return take(recompute_charge(rate_terms, talk_time_ms, answered_at_us));
      },
      "rate_terms"_a, "talk_time_ms"_a, "answered_at_us"_a = 0);

  py::class_<RateDeck> deck(m, "RateDeck");
  deck.def_static(
          "from_rates",
          [](std::string id, const std::vector<Rate>& rates, std::string currency,
             const std::string& schedule) {
            RateDeck::Builder builder(std::move(id), std::move(currency));
            for (const Rate& rate : rates)
              take(builder.add(rate));
            return take(builder.build()).with_schedule(take(RateSchedule::parse(schedule)));
          },
          "id"_a, "rates"_a, "currency"_a = "USD", "schedule"_a = "")
      .def(
          "route_prefix_length",
          [](const RateDeck& d, const std::string& callee, std::vector<std::string> prefixes,
             std::int32_t characters) {
            const RoutePrefixes read{std::move(prefixes), characters};
            take(check_route_prefixes(read));
            return BillingPrefixes(read, d).length_in(callee);
          },
          "callee"_a, "prefixes"_a = std::vector<std::string>(), "characters"_a = 0)
      .def_static(
          "from_csv",
          [](std::string id, const std::string& text, std::string currency,
             const std::string& schedule) {
            return take(unlocked([&]() -> Result<RateDeck> {
              auto judged_by = RateSchedule::parse(schedule);
              if (!judged_by) return judged_by.error();
              auto rates = parse_deck_csv(text, id);
              if (!rates) return rates.error();
              RateDeck::Builder builder(id, std::move(currency));
              for (Rate& rate : *rates)
                if (auto added = builder.add(std::move(rate)); !added) return added.error();
              auto built = builder.build();
              if (!built) return built.error();
              return built->with_schedule(std::move(*judged_by));
            }));
          },
          "id"_a, "text"_a, "currency"_a = "USD", "schedule"_a = "")
      .def("to_csv", [](const RateDeck& d) { return unlocked([&] { return to_csv(d); }); })
      .def(
          "find",
          [](const RateDeck& d, const std::string& callee, std::int64_t at_us,
             const std::string& level) {
            const RateMatch match = d.find(callee, at_us, take(call_level_from_name(level)));
            return py::make_tuple(
                match.ok() ? "" : reason_facts(match.reason).name,
                match.rate == nullptr ? py::object(py::none()) : py::cast(*match.rate));
          },
          "callee"_a, "at_us"_a, "call_level"_a = "")
      .def(
          "rate_number_json",
          [](const RateDeck& d, const std::string& callee, std::int64_t talk_time_ms,
             std::int64_t at_us, const FeeRules& rules, const std::vector<std::string>& free) {
            return to_json(take(rate_number(d, callee, talk_time_ms, at_us, rules,
                                            take(FreeNumbers::from_list(free)))));
          },
          "callee"_a, "talk_time_ms"_a, "at_us"_a, "rules"_a, "free_numbers"_a)
      .def_property_readonly("id", &RateDeck::id)
      .def_property_readonly("currency", &RateDeck::currency)
      .def_property_readonly("schedule", [](const RateDeck& d) { return d.schedule().to_string(); })
      .def("__len__", &RateDeck::size)
      .def("__getitem__", [](const RateDeck& d, std::size_t index) {
        if (index >= d.size()) throw py::index_error();
        return d.at(index);
      });

  m.def(
      "import_deck_json",
      [](const std::string& text, const std::string& layout) {
        return to_json(take(unlocked([&]() -> Result<DeckImport> {
          const auto known = parse_deck_layout(layout);
          if (!known) return known.error();
          return import_deck(text, *known);
        })));
      },
      "text"_a, "layout"_a);
  deck.def_static(
      "from_price_list",
      [](std::string id, const std::string& text, const std::string& layout, std::string currency,
         const std::string& schedule) {
        return take(unlocked([&]() -> Result<RateDeck> {
          auto judged_by = RateSchedule::parse(schedule);
          if (!judged_by) return judged_by.error();
          const auto known = parse_deck_layout(layout);
          if (!known) return known.error();
          auto import = import_deck(text, *known);
          if (!import) return import.error();
          if (!import->ok()) {
            const DeckFault& fault = import->faults.front();
            return Error{ErrorCode::invalid_argument, "row " + std::to_string(fault.row) +
                                                          ": column \"" + fault.column +
                                                          "\": " + fault.message};
          }
          RateDeck::Builder builder(id, std::move(currency));
          for (Rate& rate : import->rates)
            if (auto added = builder.add(std::move(rate)); !added) return added.error();
          auto built = builder.build();
          if (!built) return built.error();
          return built->with_schedule(std::move(*judged_by));
        }));
      },
      "id"_a, "text"_a, "layout"_a = "", "currency"_a = "USD", "schedule"_a = "");
  m.def(
      "margin_report_json",
      [](const RateDeck& sell, const std::vector<RateDeck>& buys, std::int64_t at_us) {
        return to_json(take(unlocked([&] { return margin_report(sell, buys, at_us); })));
      },
      "sell"_a, "buys"_a, "at_us"_a);

  py::class_<Rerater>(m, "Rerater")
      .def(py::init([](const RateDeck& other, const FeeRules& rules,
                       const std::vector<std::string>& free) {
             return Rerater(other, rules, take(FreeNumbers::from_list(free)));
           }),
           "deck"_a, "rules"_a = FeeRules(), "free_numbers"_a = std::vector<std::string>())
      .def(
          "add",
          [](Rerater& r, const std::vector<Cdr>& cdrs, const std::string& side) {
            std::vector<RerateCall> calls;
            for (const Cdr& cdr : cdrs) {
              if (cdr.answered_at_us == 0 || (side == "vendor" && !cdr.vendor)) continue;
              const ChargeFacts& facts = side == "vendor" ? *cdr.vendor : cdr.customer;
              calls.push_back({facts.account,
                               cdr.callee,
                               cdr.started_at_us,
                               cdr.answered_at_us,
                               cdr.talk_time_ms,
                               facts.charge,
                               {}});
            }
            take(r.add(calls));
          },
          "cdrs"_a, "side"_a = "customer")
      .def("totals_json", [](const Rerater& r) { return to_json(r); });

  py::class_<Hold>(m, "MoneyHold")
      .def_property_readonly("held", [](const Hold& h) { return h.body.held(); })
      .def_property_readonly("is_open", [](const Hold& h) { return h.body.is_open(); })
      .def(
          "renew", [](Hold& h, Amount total) { return h.body.renew(total); }, "total"_a)
      .def(
          "settle", [](Hold& h, Amount charge) { return h.body.settle(charge); }, "charge"_a)
      .def("cancel", [](Hold& h) { h.body.cancel(); });

  py::class_<MeterVerdict>(m, "MeterVerdict")
      .def_readonly("must_end", &MeterVerdict::must_end)
      .def_property_readonly(
          "reason",
          [](const MeterVerdict& v) { return v.must_end ? reason_facts(v.reason).name : ""; })
      .def_property_readonly("check_us", [](const MeterVerdict& v) -> std::optional<std::int64_t> {
        if (v.must_end || v.check_us == INT64_MAX) return std::nullopt;
        return v.check_us;
      });
  py::class_<Meter>(m, "CallMeter")
      .def(
          "start",
          [](Meter& meter, std::int64_t now_us, std::int64_t answered_at_us) {
            return meter.body.start(now_us, answered_at_us);
          },
          "now_us"_a, "answered_at_us"_a = 0)
      .def(
          "on_timer", [](Meter& meter, std::int64_t now_us) { return meter.body.on_timer(now_us); },
          "now_us"_a)
      .def(
          "finish",
          [](Meter& meter, std::int64_t talk_time_ms) { return meter.body.finish(talk_time_ms); },
          "talk_time_ms"_a)
      .def("cancel", [](Meter& meter) { meter.body.cancel(); })
      .def_property_readonly("covered_s",
                             [](const Meter& meter) -> std::optional<std::int64_t> {
                               if (meter.body.covered_s() >= rated_time_max_s) return std::nullopt;
                               return meter.body.covered_s();
                             })
      .def_property_readonly("held", [](const Meter& meter) { return meter.body.held(); });

  py::class_<AccountBook, std::shared_ptr<AccountBook>>(m, "AccountBook")
      .def(py::init<>())
      .def(
          "provision",
          [](AccountBook& b, std::string id, Amount balance, Amount overdraft,
             const std::string& kind, std::string currency, std::string rate_deck, bool locked,
             std::int64_t until_us, const std::string& level, Amount tax_percent, std::string agent,
             bool is_balance_verified, const std::string& limits) {
            AccountSettings s;
            if (!limits.empty()) s.limits = take(parse_account_limits(limits));
            s.tax_percent = tax_percent;
            s.agent = std::move(agent);
            s.is_balance_verified = is_balance_verified;
            s.id = std::move(id);
            s.kind = take(account_kind_from_name(kind));
            s.overdraft_limit = overdraft;
            s.currency = std::move(currency);
            s.rate_deck = std::move(rate_deck);
            s.locked = locked;
            s.valid_until_us = until_us;
            s.call_level = take(call_level_from_name(level));
            (void)take(b.provision(s, balance));
          },
          "id"_a, py::kw_only(), "balance"_a = "0", "overdraft_limit"_a = "0",
          "kind"_a = "customer", "currency"_a = "USD", "rate_deck"_a = "", "locked"_a = false,
          "valid_until_us"_a = 0, "call_level"_a = "", "tax_percent"_a = "0", "agent"_a = "",
          "is_balance_verified"_a = true, "limits_json"_a = "")
      .def(
          "limits_json",
          [](const AccountBook& b, const std::string& id, std::int64_t at_us) {
            return limits_to_json(b.limits(b.find(id), at_us));
          },
          "id"_a, "at_us"_a)
      .def(
          "restore_limit",
          [](AccountBook& b, std::string account, std::string limit, std::int64_t start_us,
             std::int64_t until_us, Amount charge, std::int64_t talk_s, std::int64_t calls) {
            take(b.restore_limit(
                {std::move(account), std::move(limit), start_us, until_us, charge, talk_s, calls}));
          },
          py::kw_only(), "account"_a, "limit"_a, "start_us"_a, "until_us"_a, "charge"_a = "0",
          "talk_s"_a = 0, "calls"_a = 0)
      .def(
          "pay",
          [](AccountBook& b, const std::string& id, Amount amount) {
            return take(b.pay(b.find(id), amount));
          },
          "id"_a, "amount"_a)
      .def(
          "charge",
          [](AccountBook& b, const std::string& id, Amount amount) {
            return take(b.charge_unchecked(b.find(id), amount));
          },
          "id"_a, "amount"_a)
      .def(
          "restore",
          [](AccountBook& b, const std::string& id, Amount balance) {
            take(b.restore(id, balance));
          },
          "id"_a, "balance"_a)
      .def(
          "open_call",
          [](const std::shared_ptr<AccountBook>& b, const std::string& id, Amount hold,
             std::int64_t now_us) {
            CallAdmission admission = b->open_call(b->find(id), hold, now_us);
            const char* const reason = reason_facts(admission.reason).name;
            if (!admission.ok()) return py::make_tuple(reason, py::none());
            return py::make_tuple(
                "", py::cast(std::make_unique<Hold>(Hold{b, std::move(admission.hold)})));
          },
          "id"_a, "first_hold"_a, "now_us"_a)
      .def(
          "open_meter",
          [](const std::shared_ptr<AccountBook>& b, const std::string& id, const Rate& rate,
             std::int64_t now_us, const std::optional<FeeRules>& given, const std::string& schedule,
             const std::string& callee) {
            CallStart start{now_us, take(RateSchedule::parse(schedule))};
            const FeeRules rules = given.value_or(FeeRules());
            take(check_rate(rate));
            take(check_fee_rules(rules));
            const Amount first = take(CallMeter::first_hold(rate, rules, start));
            CallAdmission admission = b->open_call(b->find(id), first, now_us);
            LimitHold limits;
            if (admission.ok() &&
                !b->open_limits(b->find(id), callee, first, meter_first_talk_s, now_us, limits))
              admission.reason = Reason::AccountLimitReached;
            if (!admission.ok())
              return py::make_tuple(reason_facts(admission.reason).name, py::none());
            return py::make_tuple(
                "", py::cast(std::make_unique<Meter>(b, rate, rules, std::move(admission.hold),
                                                     std::move(start), std::move(limits))));
          },
          "id"_a, "rate"_a, "now_us"_a, "rules"_a = py::none(), "schedule"_a = "", "callee"_a = "")
      .def(
          "state",
          [](const AccountBook& b, const std::string& id) {
            return state_dict(b, take(b.state(id)));
          },
          "id"_a)
      .def("snapshot",
           [](const AccountBook& b) {
             py::list all;
             for (const AccountState& s : b.snapshot())
               all.append(state_dict(b, s));
             return all;
           })
      .def("__len__", &AccountBook::size);
}

}  // namespace binding
