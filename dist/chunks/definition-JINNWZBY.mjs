import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{definition}from"./chunk-3G33W3Y7.mjs";import"./chunk-LVST6L3G.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{definition};
