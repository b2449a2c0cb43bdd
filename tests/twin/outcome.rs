//! What is left after fees, postage, forwarder and border, and whether it is worth the work.

use rust_decimal::Decimal;
use tcg_radar::domain::{
    market::{Market, Zone},
    money::{Currency, cents, round_half_up},
};

use super::{
    Case, Fact, Verdict,
    account::ratio,
    figures::{
        CHEAP_BELOW, CONSOLIDATION, DEADZONE_FROM, DEADZONE_TO, INSURANCE_RATE, INSURED_ABOVE, MIN_HEADACHE, MIN_PROFIT, NOISE_SHARE,
        RECEIVING, SMALL_SINGLE_BELOW, SMALL_SINGLE_DENSITY, SMALL_SINGLE_RULE, dec,
    },
    gate,
    inputs::Tenant,
    need,
    pace::Pace,
    reach::Lane,
    trade::{Copy, Trade},
};

#[derive(Debug)]
pub struct Outcome {
    pub proceeds: Fact<Decimal>,
    pub import_cost: Fact<Decimal>,
    pub outbound_shipping: Fact<Decimal>,
    pub forwarder_cost: Fact<Decimal>,
    pub net_profit: Fact<Decimal>,
    pub headache: Fact<Decimal>,
    pub score: Fact<Decimal>,
}

impl Outcome {
    pub fn of(case: &Case<'_>, lane: &Lane, copy: &Copy, pace: &Pace, trade: &Trade) -> Self {
        let proceeds = proceeds(case, copy.adjusted_sell);
        let box_postage_share = lane.box_postage_share(case);
        let import_cost = lane.import_cost(case, trade.goods_value, trade.effective_buy, box_postage_share);
        let outbound_shipping = box_postage_share.and_then(|share| Ok(share + sale_postage(case)?));
        let forwarder_cost = forwarder_cost(case, lane, trade.effective_buy);
        let net_profit = (|| Ok(proceeds? - trade.effective_buy? - import_cost? - outbound_shipping? - forwarder_cost?))();
        // a card is one sale
        let headache = net_profit.map(|profit| round_half_up(profit, 8));
        let score = (|| Ok(round_half_up(trade.spread? * pace.velocity? * pace.trend_factor()?, 4)))();
        Self { proceeds, import_cost, outbound_shipping, forwarder_cost, net_profit, headache, score }
    }

    /// The gates from 23 to 28.
    pub fn gates(&self, case: &Case<'_>, trade: &Trade) -> Result<(), Verdict> {
        let tenant = case.tenant;
        gate(23, small_single(case, trade))?;
        gate(24, self.bundle_shipping_suppressed(case))?;
        gate(25, self.net_profit.and_then(|profit| floor_missed(profit, tenant.min_profit_threshold, MIN_PROFIT, tenant)))?;
        gate(26, self.net_profit.and_then(|profit| Ok(profit < trade.effective_buy? * NOISE_SHARE)))?;
        gate(27, self.headache.and_then(|headache| floor_missed(headache, tenant.min_headache_score, MIN_HEADACHE, tenant)))?;
        gate(28, self.score.map(|score| tenant.min_score.is_some_and(|floor| score < floor)))
    }

    /// A cheap single card without profit.
    fn bundle_shipping_suppressed(&self, case: &Case<'_>) -> Fact<bool> {
        let cheap_single = cheap_single(case)?;
        let without_profit = self.net_profit? <= Decimal::ZERO;
        Ok(case.bundle_logic && cheap_single && without_profit)
    }
}

/// Below the tenant's own floor, or the usual one in US dollars; equal passes.
fn floor_missed(amount: Decimal, own: Option<Decimal>, usual: Decimal, tenant: &Tenant) -> Fact<bool> {
    let usual = tenant.threshold(usual, Currency::Usd)?;
    Ok(amount < own.unwrap_or(usual))
}

/// A cheap single card on its way into the EU.
fn small_single(case: &Case<'_>, trade: &Trade) -> Fact<bool> {
    need(case.route.origin)?;
    need(case.tenant.destination)?;
    let value = trade.goods_value?;
    let bound = case.tenant.threshold(SMALL_SINGLE_BELOW, Currency::Eur)?;
    Ok(SMALL_SINGLE_RULE && value < bound && case.seller_density < SMALL_SINGLE_DENSITY)
}

/// A cheap card that bears a whole parcel's postage.
pub fn cheap_single(case: &Case<'_>) -> Fact<bool> {
    let single = case.single_card()?;
    let value = sell_value(case)?;
    Ok(single && value < case.tenant.threshold(CHEAP_BELOW, Currency::Usd)?)
}

/// Too dear to risk, and the premium eats the margin.
pub fn insurance_deadzone(case: &Case<'_>, lane: &Lane, trade: &Trade) -> Fact<bool> {
    let (via_forwarder, cost) = (lane.via_forwarder?, trade.effective_buy?);
    let from = case.tenant.threshold(DEADZONE_FROM, Currency::Usd)?;
    Ok(via_forwarder && cost >= from && cost <= case.tenant.threshold(DEADZONE_TO, Currency::Usd)?)
}

/// The near-mint sell price in home money, without buffer.
fn sell_value(case: &Case<'_>) -> Fact<Decimal> {
    Ok(cents(need(case.route.sell_price)? * need(case.tenant.sell_rate)?))
}

/// What the market pays out, in home money.
fn proceeds(case: &Case<'_>, adjusted_sell: Fact<Decimal>) -> Fact<Decimal> {
    let item = adjusted_sell?;
    let fee = platform_fee(case, item)?;
    Ok(cents((item - fee) * need(case.tenant.proceeds_rate)?))
}

/// All the market's fees on this sale, in its own currency, rounded once. No market lets the buyer pay postage to us, so
/// the order is the item.
fn platform_fee(case: &Case<'_>, item: Decimal) -> Fact<Decimal> {
    let zone = case.tenant.destination;
    let from_abroad = zone.is_some_and(|zone| zone != Zone::Us);
    let level = case.tenant.seller_level;
    let with_tax = item * dec(10_752, 4);
    let fee = match need(case.route.sell_market)? {
        Market::Cardmarket => {
            let commission = (item * dec(5, 2)).min(dec(10_000, 2));
            let conversion = if zone == Some(Zone::Uk) { item * dec(3, 2) } else { Decimal::ZERO };
            commission + conversion
        }
        Market::Tcgplayer => {
            let cap = dec(7_500, 2);
            let (commission, program) = if matches!(level, Some("pro" | "tcgplayer_pro")) {
                ((item * dec(925, 4)).min(cap), (item * dec(25, 3)).min(cap))
            } else {
                ((item * dec(1_075, 4)).min(cap), Decimal::ZERO)
            };
            let processing = match zone {
                None => Decimal::ZERO,
                Some(Zone::Us) => with_tax * dec(25, 3),
                Some(_) => with_tax * dec(35, 3),
            };
            let payout = if from_abroad { (with_tax * dec(2, 2)).min(dec(2_000, 2)) } else { Decimal::ZERO };
            commission + program + processing + payout + dec(30, 2)
        }
        Market::Ebay => {
            let (rate, reduced_rate) = if matches!(level, Some("top_rated" | "ebay_top_rated")) {
                (dec(11_925, 5), dec(2_115, 5))
            } else {
                (dec(1_325, 4), dec(235, 4))
            };
            let reduced_above = dec(750_000, 2);
            let commission =
                if with_tax > reduced_above { reduced_above * rate + (with_tax - reduced_above) * reduced_rate } else { with_tax * rate };
            let international = if from_abroad { with_tax * dec(165, 4) } else { Decimal::ZERO };
            let fixed = if with_tax <= dec(1_000, 2) { dec(30, 2) } else { dec(40, 2) };
            commission + international + fixed
        }
    };
    Ok(cents(fee))
}

/// What it costs to send the sold card to its buyer.
fn sale_postage(case: &Case<'_>) -> Fact<Decimal> {
    let tenant = case.tenant;
    let amount = match (need(tenant.destination)?, need(case.route.sell_market)?) {
        (Zone::Eu | Zone::Uk, Market::Cardmarket) => Decimal::ZERO,
        (Zone::Us, Market::Tcgplayer | Market::Ebay) => {
            let tracked_from = dec(5_000, 2) * tenant.market_rate(Currency::Usd)?;
            if sell_value(case)? < tracked_from { dec(125, 2) } else { dec(525, 2) }
        }
        _ => dec(1_500, 2),
    };
    tenant.cost(amount, Currency::Usd)
}

/// This card's share of the forwarder's fees and its premium, rounded once.
fn forwarder_cost(case: &Case<'_>, lane: &Lane, effective_buy: Fact<Decimal>) -> Fact<Decimal> {
    let tenant = case.tenant;
    let via_forwarder = lane.via_forwarder?;
    let usual_receiving = tenant.threshold(RECEIVING, Currency::Usd)?;
    let usual_consolidation = tenant.threshold(CONSOLIDATION, Currency::Usd)?;
    let cost = effective_buy?;
    let insured = cost > tenant.threshold(INSURED_ABOVE, Currency::Usd)?;
    let cards = lane.cards_per_consignment(case)?;
    if !via_forwarder {
        return Ok(Decimal::ZERO);
    }
    let premium = if insured { cost * tenant.insurance_rate.unwrap_or(INSURANCE_RATE) } else { Decimal::ZERO };
    let fees =
        tenant.forwarder_receiving_fee.unwrap_or(usual_receiving) + tenant.forwarder_consolidation_fee.unwrap_or(usual_consolidation);
    ratio(fees + premium * cards, cards, 2)
}
