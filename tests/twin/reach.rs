//! Can the parcel reach the tenant, by which way, and what does the border take?

use rust_decimal::Decimal;
use tcg_radar::domain::{
    market::{Market, Zone},
    money::{Currency, cents},
};

use super::{
    Case, Fact, Verdict,
    account::ratio,
    figures::{BOX_POSTAGE, dec, vat_rate},
    gate,
    inputs::{Route, Tenant},
    maybe, need,
};

/// The way of a parcel.
#[derive(Debug)]
pub struct Lane {
    pub crosses_border: Fact<bool>,
    pub via_forwarder: Fact<bool>,
    /// The zone where the seller's parcel arrives.
    received_in: Fact<Zone>,
}

impl Lane {
    pub fn of(route: &Route, tenant: &Tenant) -> Self {
        let ends = need(route.origin).and_then(|origin| Ok((origin, need(tenant.destination)?)));
        let crosses_border = ends.map(|(origin, destination)| origin != destination);
        let via_forwarder = crosses_border.map(|crosses| crosses && tenant.use_forwarder == Some(true));
        let received_in = ends.and_then(|(origin, destination)| Ok(if via_forwarder? { origin } else { destination }));
        Self { crosses_border, via_forwarder, received_in }
    }

    /// The gates from 12 to 15.
    pub fn gates(&self, route: &Route, tenant: &Tenant) -> Result<(), Verdict> {
        gate(12, Ok(tenant.direction_wanted == Some(false)))?;
        gate(13, Ok(tenant.set_excluded == Some(true)))?;
        gate(14, Ok(tenant.category_wanted == Some(false)))?;
        gate(15, self.unavailable(route, tenant))
    }

    fn unavailable(&self, route: &Route, tenant: &Tenant) -> Fact<bool> {
        let (directly, via_forwarder) = (ships_directly(need(route.buy_market)?, tenant.destination)?, self.via_forwarder?);
        Ok(!directly && !via_forwarder)
    }

    /// Usual postage of the seller's parcel, where the listing states none.
    pub fn postage(&self, case: &Case<'_>, goods_value: Fact<Decimal>) -> Fact<Decimal> {
        use Zone::{Eu, Other, Sea, Uk, Us};
        let tenant = case.tenant;
        let (amount, currency) = match (need(case.route.origin)?, self.received_in) {
            (Sea | Other, _) => (dec(1_500, 2), Currency::Usd),
            (_, Err(gap)) => return Err(gap),
            (Eu, Ok(Eu)) if tenant.within(goods_value?, dec(2_500, 2), Currency::Eur)? => (dec(195, 2), Currency::Eur),
            (Eu, Ok(Eu)) => (dec(750, 2), Currency::Eur),
            (Eu, Ok(Uk)) if tenant.within(goods_value?, dec(2_500, 2), Currency::Eur)? => (dec(295, 2), Currency::Eur),
            (Eu, Ok(Uk)) => (dec(1_150, 2), Currency::Eur),
            (Us, Ok(Us)) if tenant.within(goods_value?, dec(5_000, 2), Currency::Usd)? => (dec(149, 2), Currency::Usd),
            (Us, Ok(Us)) => (dec(525, 2), Currency::Usd),
            (Uk, Ok(Uk)) => (dec(155, 2), Currency::Gbp),
            (Eu | Us | Uk, Ok(_)) => (dec(1_500, 2), Currency::Usd),
        };
        tenant.cost(amount, currency)
    }

    /// Cards that cross the border together; the forwarder boxes one parcel.
    pub fn cards_per_consignment(&self, case: &Case<'_>) -> Fact<Decimal> {
        self.via_forwarder.map(|_| Decimal::from(case.seller_density))
    }

    /// This card's share of the postage of the forwarder's box.
    pub fn box_postage_share(&self, case: &Case<'_>) -> Fact<Decimal> {
        let via_forwarder = self.via_forwarder?;
        let usual = case.tenant.threshold(BOX_POSTAGE, Currency::Usd)?;
        let cards = self.cards_per_consignment(case)?;
        if via_forwarder { ratio(case.tenant.forwarder_outbound.unwrap_or(usual), cards, 2) } else { Ok(Decimal::ZERO) }
    }

    /// Duty and import VAT on this card.
    pub fn import_cost(
        &self,
        case: &Case<'_>,
        goods_value: Fact<Decimal>,
        effective_buy: Fact<Decimal>,
        box_postage_share: Fact<Decimal>,
    ) -> Fact<Decimal> {
        let tenant = case.tenant;
        let consignment = maybe(goods_value.and_then(|value| Ok(value * self.cards_per_consignment(case)?)))?;
        let border = Border::on(case.route.origin, need(tenant.destination)?, consignment, tenant)?;
        let effective_buy = effective_buy?;
        self.cards_per_consignment(case)?;
        let duty = match border.duty_rate {
            Some(rate) => cents(effective_buy * tenant.import_duty_rate.unwrap_or(rate)),
            None => Decimal::ZERO,
        };
        let box_postage_share = box_postage_share?;
        if !border.vat || tenant.vat_registered == Some(true) {
            return Ok(duty);
        }
        let rate = need(tenant.tenant_country.and_then(vat_rate))?;
        Ok(duty + cents((effective_buy + box_postage_share + duty) * rate))
    }
}

/// Which market ships to which zone by itself; eBay's sellers ship everywhere.
fn ships_directly(market: Market, destination: Option<Zone>) -> Fact<bool> {
    Ok(match market {
        Market::Ebay => true,
        Market::Cardmarket => matches!(need(destination)?, Zone::Eu | Zone::Uk),
        Market::Tcgplayer => need(destination)? == Zone::Us,
    })
}

/// What a border takes under the regime `world` on 2026-05-01: nothing, a share of the value, VAT on goods, postage and duty.
struct Border {
    duty_rate: Option<Decimal>,
    vat: bool,
}

impl Border {
    fn on(origin: Option<Zone>, destination: Zone, consignment: Option<Decimal>, tenant: &Tenant) -> Fact<Self> {
        use Zone::{Eu, Other, Sea, Uk, Us};
        if destination == Other {
            return Ok(Self { duty_rate: None, vat: true });
        }
        let crosses = need(origin)? != destination;
        Ok(match destination {
            Sea | Other => Self { duty_rate: None, vat: true },
            _ if !crosses => Self { duty_rate: None, vat: false },
            // the surcharge of section 122; there is no exemption any more, but a table tells that a row has expired only after
            // it has looked at the row's bound of 800 dollars
            Us => {
                if consignment.is_some() {
                    tenant.market_rate(Currency::Usd)?;
                }
                Self { duty_rate: Some(dec(10, 2)), vat: false }
            }
            Eu if tenant.within(need(consignment)?, dec(15_000, 2), Currency::Eur)? => Self { duty_rate: None, vat: true },
            Eu => Self { duty_rate: Some(dec(27, 3)), vat: true },
            // VAT is collected at checkout and so in the price
            Uk if tenant.within(need(consignment)?, dec(13_500, 2), Currency::Gbp)? => Self { duty_rate: None, vat: false },
            Uk => Self { duty_rate: Some(dec(2, 2)), vat: true },
        })
    }
}
