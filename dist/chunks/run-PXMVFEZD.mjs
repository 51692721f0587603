import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{buildWithCaches,main,planWithCaches,post}from"./chunk-TXDLWVRV.mjs";import"./chunk-X5RB7626.mjs";import"./chunk-LVST6L3G.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{buildWithCaches,main,planWithCaches,post};
