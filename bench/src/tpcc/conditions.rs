//! The consistency conditions of clause 3.3.2, each a query that says how much it looked at and how much of that is wrong.

use super::load::run;
use hexalog_sql_client::Connection;
use serde_json::{Value, json};

/// When the conditions are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Nothing has run on the rows yet.
    Loaded,
    /// Transactions may have run.
    Later,
}

/// What a condition's query has found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The condition's number.
    pub number: usize,
    /// What it says.
    pub says: &'static str,
    /// Rows that it was looked for in.
    pub looked_at: u64,
    /// Those of them that violate it.
    pub violated: u64,
}

impl Finding {
    /// Something was looked at and all of it was right.
    pub fn holds(&self) -> bool {
        self.looked_at > 0 && self.violated == 0
    }

    /// On one line.
    pub fn text(&self) -> String {
        let Finding { number, says, looked_at, violated } = self;
        let word = if self.holds() { "holds" } else { "VIOLATED" };
        format!("condition {number:2} {word}: {violated} of {looked_at} violate \"{says}\"")
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({"condition": self.number, "holds": self.holds(), "looked_at": self.looked_at, "violated": self.violated})
    }
}

/// What a condition says, and the query: rows looked at, rows that violate it.
struct Condition {
    says: &'static str,
    query: &'static str,
}

const fn condition(says: &'static str, query: &'static str) -> Condition {
    Condition { says, query }
}

/// 1 to 12. Sums of no rows are NULL, so `is distinct from` throughout.
static CONDITIONS: [Condition; 12] = [
    condition(
        "W_YTD = sum(D_YTD)",
        "select count(*), count(case when w_ytd is distinct from total then 1 end)
         from warehouse left join (select d_w_id, sum(d_ytd) as total from district group by d_w_id) as d on d_w_id = w_id",
    ),
    condition(
        "D_NEXT_O_ID - 1 = max(O_ID) = max(NO_O_ID)",
        "select count(*), count(case when d_next_o_id - 1 is distinct from last_order
                or d_next_o_id - 1 is distinct from coalesce(last_new, d_next_o_id - 1) then 1 end)
         from district
         left join (select o_w_id, o_d_id, max(o_id) as last_order from orders group by o_w_id, o_d_id) as o
             on o_w_id = d_w_id and o_d_id = d_id
         left join (select no_w_id, no_d_id, max(no_o_id) as last_new from new_order group by no_w_id, no_d_id) as n
             on no_w_id = d_w_id and no_d_id = d_id",
    ),
    condition(
        "max(NO_O_ID) - min(NO_O_ID) + 1 = rows of NEW-ORDER",
        "select count(*), count(case when numbers <> present then 1 end)
         from district
         left join (select no_w_id, no_d_id, max(no_o_id) - min(no_o_id) + 1 as numbers, count(*) as present
                    from new_order group by no_w_id, no_d_id) as n
             on no_w_id = d_w_id and no_d_id = d_id",
    ),
    condition(
        "sum(O_OL_CNT) = rows of ORDER-LINE",
        "select count(*), count(case when counted is distinct from present then 1 end)
         from district
         left join (select o_w_id, o_d_id, sum(o_ol_cnt) as counted from orders group by o_w_id, o_d_id) as o
             on o_w_id = d_w_id and o_d_id = d_id
         left join (select ol_w_id, ol_d_id, count(*) as present from order_line group by ol_w_id, ol_d_id) as l
             on ol_w_id = d_w_id and ol_d_id = d_id",
    ),
    condition(
        "O_CARRIER_ID is null if and only if NEW-ORDER has the order",
        "select count(*), count(case when (o_carrier_id is null) is distinct from (no_o_id is not null) then 1 end)
         from orders full join new_order on no_w_id = o_w_id and no_d_id = o_d_id and no_o_id = o_id",
    ),
    condition(
        "O_OL_CNT = rows of ORDER-LINE of the order",
        "select count(*), count(case when o_ol_cnt is distinct from present then 1 end)
         from orders
         full join (select ol_w_id, ol_d_id, ol_o_id, count(*) as present from order_line group by ol_w_id, ol_d_id, ol_o_id) as l
             on ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id",
    ),
    condition(
        "OL_DELIVERY_D is null if and only if O_CARRIER_ID is",
        "select count(*), count(case when o_id is null or (ol_delivery_d is null) <> (o_carrier_id is null) then 1 end)
         from order_line left join orders on o_w_id = ol_w_id and o_d_id = ol_d_id and o_id = ol_o_id",
    ),
    condition(
        "W_YTD = sum(H_AMOUNT)",
        "select count(*), count(case when w_ytd is distinct from total then 1 end)
         from warehouse left join (select h_w_id, sum(h_amount) as total from history group by h_w_id) as h on h_w_id = w_id",
    ),
    condition(
        "D_YTD = sum(H_AMOUNT)",
        "select count(*), count(case when d_ytd is distinct from total then 1 end)
         from district
         left join (select h_w_id, h_d_id, sum(h_amount) as total from history group by h_w_id, h_d_id) as h
             on h_w_id = d_w_id and h_d_id = d_id",
    ),
    condition(
        "C_BALANCE = sum(OL_AMOUNT of what was delivered) - sum(H_AMOUNT)",
        "select count(*), count(case when c_balance is distinct from coalesce(delivered, 0) - coalesce(paid, 0) then 1 end)
         from customer
         left join (select o_w_id, o_d_id, o_c_id, sum(ol_amount) as delivered
                    from orders join order_line on ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id
                    where ol_delivery_d is not null group by o_w_id, o_d_id, o_c_id) as o
             on o_w_id = c_w_id and o_d_id = c_d_id and o_c_id = c_id
         left join (select h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) as paid from history group by h_c_w_id, h_c_d_id, h_c_id) as h
             on h_c_w_id = c_w_id and h_c_d_id = c_d_id and h_c_id = c_id",
    ),
    // The specification has 2100, which is so until the first Delivery: each of those takes an order out of NEW-ORDER and
    // counts it at its customer.
    condition(
        "rows of ORDER - rows of NEW-ORDER = 2100 + sum(C_DELIVERY_CNT)",
        "select count(*), count(case when ordered - coalesce(open, 0) is distinct from 2100 + delivered then 1 end)
         from district
         left join (select o_w_id, o_d_id, count(*) as ordered from orders group by o_w_id, o_d_id) as o
             on o_w_id = d_w_id and o_d_id = d_id
         left join (select no_w_id, no_d_id, count(*) as open from new_order group by no_w_id, no_d_id) as n
             on no_w_id = d_w_id and no_d_id = d_id
         left join (select c_w_id, c_d_id, sum(c_delivery_cnt) as delivered from customer group by c_w_id, c_d_id) as c
             on c_w_id = d_w_id and c_d_id = d_id",
    ),
    condition(
        "C_BALANCE + C_YTD_PAYMENT = sum(OL_AMOUNT of what was delivered)",
        "select count(*), count(case when c_balance + c_ytd_payment is distinct from coalesce(delivered, 0) then 1 end)
         from customer
         left join (select o_w_id, o_d_id, o_c_id, sum(ol_amount) as delivered
                    from orders join order_line on ol_w_id = o_w_id and ol_d_id = o_d_id and ol_o_id = o_id
                    where ol_delivery_d is not null group by o_w_id, o_d_id, o_c_id) as o
             on o_w_id = c_w_id and o_d_id = c_d_id and o_c_id = c_id",
    ),
];

/// Condition 11 to the letter, for rows that nothing has run on.
static CONDITION_11_LOADED: Condition = condition(
    "rows of ORDER - rows of NEW-ORDER = 2100",
    "select count(*), count(case when ordered - coalesce(open, 0) is distinct from 2100 then 1 end)
     from district
     left join (select o_w_id, o_d_id, count(*) as ordered from orders group by o_w_id, o_d_id) as o
         on o_w_id = d_w_id and o_d_id = d_id
     left join (select no_w_id, no_d_id, count(*) as open from new_order group by no_w_id, no_d_id) as n
         on no_w_id = d_w_id and no_d_id = d_id",
);

/// Looks at all of them.
pub fn check(session: &mut Connection, when: When) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for (number, condition) in (1..).zip(&CONDITIONS) {
        let is_strict = number == 11 && when == When::Loaded;
        let condition = if is_strict { &CONDITION_11_LOADED } else { condition };
        let rows = run(session, condition.query)?;
        let counts: Vec<u64> =
            rows.iter().flatten().flatten().filter_map(|count| count.parse().ok()).collect();
        let [looked_at, violated] = counts[..] else {
            return Err(format!("condition {number} brought {rows:?} and not two counts"));
        };
        findings.push(Finding { number, says: condition.says, looked_at, violated });
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_looked_at_does_not_hold() {
        let finding = |looked_at, violated| Finding { number: 1, says: "x", looked_at, violated };
        assert!(finding(10, 0).holds());
        assert!(!finding(10, 1).holds());
        assert!(!finding(0, 0).holds(), "an empty table proves nothing");
        assert!(finding(10, 1).text().contains("VIOLATED"));
    }
}
