//! The statements of the five transactions. Each terminal prepares all of them.
//!
//! Only what any PostgreSQL server takes. Where the specification reads a row and then changes it, one UPDATE … RETURNING does
//! both, as PostgreSQL's users write it: the row is locked by the change itself.

use super::options::Isolation;

/// One of them: its name on the server, and its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statement {
    /// Short: it goes over the wire each time.
    pub name: &'static str,
    /// The SQL.
    pub text: &'static str,
}

macro_rules! statements {
    ($($constant:ident $name:literal $text:literal;)*) => {
        $(#[allow(missing_docs, reason = "the text says what it does")]
        pub const $constant: Statement = Statement { name: $name, text: $text };)*
        /// All but those that hang on options or districts.
        const FIXED: &[Statement] = &[$($constant),*];
    };
}

statements! {
    BEGIN_ORDER_STATUS "bo" "begin isolation level repeatable read, read only";
    BEGIN_STOCK_LEVEL "bs" "begin isolation level read committed, read only";
    COMMIT "c" "commit";
    ROLLBACK "r" "rollback";

    NEW_ORDER_CUSTOMER "n1"
        "select c_discount, c_last, c_credit, w_tax from customer join warehouse on w_id = c_w_id
         where c_w_id = $1::integer and c_d_id = $2::integer and c_id = $3::integer";
    NEW_ORDER_DISTRICT "n2"
        "update district set d_next_o_id = d_next_o_id + 1 where d_w_id = $1::integer and d_id = $2::integer
         returning d_next_o_id - 1, d_tax";
    NEW_ORDER_ITEM "n3" "select i_price, i_name, i_data from item where i_id = $1::integer";
    NEW_ORDER_ORDER "n4"
        "insert into orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_carrier_id, o_ol_cnt, o_all_local)
         values ($1::integer, $2::integer, $3::integer, $4::integer, localtimestamp, null, $5::integer, $6::integer)";
    NEW_ORDER_NEW "n5"
        "insert into new_order (no_o_id, no_d_id, no_w_id) values ($1::integer, $2::integer, $3::integer)";
    NEW_ORDER_LINE "n6"
        "insert into order_line (ol_o_id, ol_d_id, ol_w_id, ol_number, ol_i_id, ol_supply_w_id, ol_delivery_d, ol_quantity,
             ol_amount, ol_dist_info)
         values ($1::integer, $2::integer, $3::integer, $4::integer, $5::integer, $6::integer, null, $7::integer, $8::numeric, $9)";

    PAYMENT_WAREHOUSE "p1"
        "select w_name, w_street_1, w_street_2, w_city, w_state, w_zip from warehouse where w_id = $1::integer";
    PAYMENT_DISTRICT "p2"
        "select d_name, d_street_1, d_street_2, d_city, d_state, d_zip from district
         where d_w_id = $1::integer and d_id = $2::integer";
    PAYMENT_WAREHOUSE_YTD "p8"
        "update warehouse set w_ytd = w_ytd + $2::numeric where w_id = $1::integer";
    PAYMENT_DISTRICT_YTD "p9"
        "update district set d_ytd = d_ytd + $3::numeric where d_w_id = $1::integer and d_id = $2::integer";
    PAYMENT_BY_NAME "p3"
        "select c_id, c_credit from customer where c_w_id = $1::integer and c_d_id = $2::integer and c_last = $3 order by c_first";
    PAYMENT_BY_ID "p4"
        "select c_id, c_credit from customer where c_w_id = $1::integer and c_d_id = $2::integer and c_id = $3::integer";
    PAYMENT_GOOD "p5"
        "update customer set c_balance = c_balance - $4::numeric, c_ytd_payment = c_ytd_payment + $4::numeric,
             c_payment_cnt = c_payment_cnt + 1
         where c_w_id = $1::integer and c_d_id = $2::integer and c_id = $3::integer
         returning c_first, c_middle, c_last, c_street_1, c_street_2, c_city, c_state, c_zip, c_phone, c_since, c_credit,
             c_credit_lim, c_discount, c_balance";
    PAYMENT_BAD "p6"
        "update customer set c_balance = c_balance - $4::numeric, c_ytd_payment = c_ytd_payment + $4::numeric,
             c_payment_cnt = c_payment_cnt + 1, c_data = left($5 || c_data, 500)
         where c_w_id = $1::integer and c_d_id = $2::integer and c_id = $3::integer
         returning c_first, c_middle, c_last, c_street_1, c_street_2, c_city, c_state, c_zip, c_phone, c_since, c_credit,
             c_credit_lim, c_discount, c_balance, left(c_data, 200)";
    PAYMENT_HISTORY "p7"
        "insert into history (h_c_id, h_c_d_id, h_c_w_id, h_d_id, h_w_id, h_date, h_amount, h_data)
         values ($1::integer, $2::integer, $3::integer, $4::integer, $5::integer, localtimestamp, $6::numeric, $7)";

    STATUS_BY_NAME "o1"
        "select c_id, c_balance, c_first, c_middle, c_last from customer
         where c_w_id = $1::integer and c_d_id = $2::integer and c_last = $3 order by c_first";
    STATUS_BY_ID "o2"
        "select c_id, c_balance, c_first, c_middle, c_last from customer
         where c_w_id = $1::integer and c_d_id = $2::integer and c_id = $3::integer";
    STATUS_ORDER "o3"
        "select o_id, o_entry_d, o_carrier_id from orders
         where o_w_id = $1::integer and o_d_id = $2::integer and o_c_id = $3::integer order by o_id desc limit 1";
    STATUS_LINES "o4"
        "select ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d from order_line
         where ol_w_id = $1::integer and ol_d_id = $2::integer and ol_o_id = $3::integer";

    DELIVERY_OLDEST "d1"
        "select no_o_id from new_order where no_w_id = $1::integer and no_d_id = $2::integer order by no_o_id limit 1";
    DELIVERY_TAKE "d2"
        "delete from new_order where no_w_id = $1::integer and no_d_id = $2::integer and no_o_id = $3::integer";
    DELIVERY_ORDER "d3"
        "update orders set o_carrier_id = $4::integer
         where o_w_id = $1::integer and o_d_id = $2::integer and o_id = $3::integer returning o_c_id";
    DELIVERY_LINES "d4"
        "update order_line set ol_delivery_d = localtimestamp
         where ol_w_id = $1::integer and ol_d_id = $2::integer and ol_o_id = $3::integer returning ol_amount";
    DELIVERY_CUSTOMER "d5"
        "update customer set c_balance = c_balance + $4::numeric, c_delivery_cnt = c_delivery_cnt + 1
         where c_w_id = $1::integer and c_d_id = $2::integer and c_id = $3::integer";

    LEVEL_DISTRICT "s1" "select d_next_o_id from district where d_w_id = $1::integer and d_id = $2::integer";
    LEVEL_COUNT "s2"
        "select count(distinct s_i_id) from order_line join stock on s_w_id = ol_w_id and s_i_id = ol_i_id
         where ol_w_id = $1::integer and ol_d_id = $2::integer and ol_o_id >= $3::integer - 20 and ol_o_id < $3::integer
             and s_quantity < $4::integer";
}

/// BEGIN of New-Order, Payment and Delivery.
pub const BEGIN: &str = "b";

/// Takes a line's quantity from the stock, and tells what the line is to know of the district.
pub fn new_order_stock(district: u32) -> String {
    format!("k{district}")
}

/// Name and text of each.
pub fn all(isolation: Isolation) -> Vec<(String, String)> {
    let mut statements: Vec<(String, String)> =
        FIXED.iter().map(|statement| (statement.name.to_owned(), statement.text.to_owned())).collect();
    statements.push((BEGIN.to_owned(), format!("begin isolation level {}", isolation.words())));
    for district in 1..=super::random::DISTRICTS {
        let text = format!(
            "update stock set
                 s_quantity = case when s_quantity >= $3::integer + 10 then s_quantity - $3::integer else s_quantity - $3::integer + 91 end,
                 s_ytd = s_ytd + $3::integer, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + $4::integer
             where s_w_id = $1::integer and s_i_id = $2::integer
             returning s_quantity, s_dist_{district:02}, s_data"
        );
        statements.push((new_order_stock(district), text));
    }
    statements
}
